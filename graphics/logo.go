package graphics

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/jpeg" // for image.Decode
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"obvan/internal/disk"
)

// Errors of logos that a caller can act on.
var (
	ErrNoLogo  = errors.New("there is no such logo")
	ErrBadLogo = errors.New("this file can't be used as a logo")
)

// Limits of a logo. A small file may declare an enormous image.
const (
	MaxLogo  = 4 << 20
	logoSide = 2048
	maxLogos = 64
)

const logoSuffix = ".png"

var logoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Logos is a folder of images for lower thirds. An upload is decoded and encoded again
// before it is stored: no byte of it reaches a mixer or a browser. Its methods are safe
// for concurrent use.
type Logos struct{ dir string }

// NewLogos stores logos in dir, which is created with the first one.
func NewLogos(dir string) *Logos { return &Logos{dir} }

// List is the logos' names, in order.
func (l *Logos) List() ([]string, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the logos: %w", err)
	}
	names := []string{}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), logoSuffix); ok && e.Type().IsRegular() && logoName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Path is the file of the logo called name. ErrNoLogo.
func (l *Logos) Path(name string) (string, error) {
	if !logoName.MatchString(name) {
		return "", ErrNoLogo
	}
	path := filepath.Join(l.dir, name+logoSuffix)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: %q", ErrNoLogo, name)
	}
	return path, nil
}

// Put stores the PNG or JPEG from r as the logo called name, replacing any previous one.
// ErrBadLogo, ErrFull.
func (l *Logos) Put(name string, r io.Reader) error {
	if !logoName.MatchString(name) {
		return fmt.Errorf("%w: its name must be 1 to 64 of the characters A-Z, a-z, 0-9, - and _", ErrBadLogo)
	}
	names, err := l.List()
	if err != nil {
		return err
	}
	if len(names) >= maxLogos && !slices.Contains(names, name) {
		return fmt.Errorf("%w: at most %d logos", ErrFull, maxLogos)
	}
	img, err := readLogo(r)
	if err != nil {
		return err
	}
	if err := l.save(name, img); err != nil {
		return fmt.Errorf("store the logo: %w", err)
	}
	return nil
}

// readLogo decodes an image within the limits of a logo.
func readLogo(r io.Reader) (image.Image, error) {
	content, err := io.ReadAll(io.LimitReader(r, MaxLogo+1))
	if err != nil {
		return nil, fmt.Errorf("read the logo: %w", err)
	}
	if len(content) > MaxLogo {
		return nil, fmt.Errorf("%w: it is larger than %d MB", ErrBadLogo, MaxLogo>>20)
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: it is not a PNG or JPEG", ErrBadLogo)
	}
	if min(size.Width, size.Height) < 1 || max(size.Width, size.Height) > logoSide {
		return nil, fmt.Errorf("%w: it has %dx%d pixels, at most %d per side are allowed", ErrBadLogo, size.Width, size.Height, logoSide)
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: the image is corrupt", ErrBadLogo)
	}
	plain := image.NewNRGBA(image.Rect(0, 0, size.Width, size.Height))
	draw.Draw(plain, plain.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	return plain, nil
}

// save replaces the logo's file atomically.
func (l *Logos) save(name string, img image.Image) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(l.dir, name+logoSuffix)
	return disk.Replace(path, 0o644, func(w io.Writer) error { return png.Encode(w, img) }) // OBS may run as another user
}

// Remove deletes a logo; lower thirds that name it are shown without. ErrNoLogo.
func (l *Logos) Remove(name string) error {
	path, err := l.Path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the logo %s: %w", name, err)
	}
	return nil
}
