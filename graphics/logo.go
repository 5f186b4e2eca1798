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
	ErrBadLogo = errors.New("this can't be a logo")
)

// Bounds of a logo. A few bytes of PNG can promise gigabytes of picture.
const (
	MaxLogo  = 4 << 20
	logoSide = 2048
	maxLogos = 64
)

const logoSuffix = ".png"

var logoName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// Logos is a folder of pictures that lower thirds may have. What is kept was decoded
// and encoded anew: no byte of an upload gets to a mixer or a browser. Its methods are
// safe for concurrent use.
type Logos struct{ dir string }

// NewLogos keeps logos in dir, which is made when the first one comes.
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

// Put keeps the PNG or JPEG of r as the logo called name, in place of the one there
// was. ErrBadLogo, ErrFull.
func (l *Logos) Put(name string, r io.Reader) error {
	if !logoName.MatchString(name) {
		return fmt.Errorf("%w: its name is 1 to 64 of the letters A-Z, a-z, 0-9, - and _", ErrBadLogo)
	}
	names, err := l.List()
	if err != nil {
		return err
	}
	if len(names) >= maxLogos && !slices.Contains(names, name) {
		return fmt.Errorf("%w: %d logos at most", ErrFull, maxLogos)
	}
	img, err := readLogo(r)
	if err != nil {
		return err
	}
	if err := l.save(name, img); err != nil {
		return fmt.Errorf("keep the logo: %w", err)
	}
	return nil
}

// readLogo decodes a picture that is no larger than a logo may be.
func readLogo(r io.Reader) (image.Image, error) {
	content, err := io.ReadAll(io.LimitReader(r, MaxLogo+1))
	if err != nil {
		return nil, fmt.Errorf("take the logo: %w", err)
	}
	if len(content) > MaxLogo {
		return nil, fmt.Errorf("%w: it is larger than %d MB", ErrBadLogo, MaxLogo>>20)
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: it is neither a PNG nor a JPEG", ErrBadLogo)
	}
	if min(size.Width, size.Height) < 1 || max(size.Width, size.Height) > logoSide {
		return nil, fmt.Errorf("%w: it is %dx%d pixels, and %d may be a side", ErrBadLogo, size.Width, size.Height, logoSide)
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%w: the picture is broken", ErrBadLogo)
	}
	plain := image.NewNRGBA(image.Rect(0, 0, size.Width, size.Height))
	draw.Draw(plain, plain.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	return plain, nil
}

// keep replaces the logo's file whole.
func (l *Logos) save(name string, img image.Image) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(l.dir, name+logoSuffix)
	return disk.Replace(path, 0o644, func(w io.Writer) error { return png.Encode(w, img) }) // OBS may be somebody else
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
