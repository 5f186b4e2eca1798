package control

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"obvan/graphics"
)

// logoTimeout is how long a logo may take to come.
const logoTimeout = time.Minute

// LogoArgs names a logo.
type LogoArgs struct {
	Name string `json:"name" example:"sponsor"`
}

func logoCommands() []Command {
	return []Command{
		command("logo.remove", Operator, "Delete a logo of lower thirds; those that name it are shown without. PUT /api/v1/logos/NAME with a PNG or JPEG brings one in, GET /api/v1/logos/NAME.png shows it.",
			func(ctx context.Context, s *Studio, args LogoArgs) (nothing, error) {
				logos, err := s.logos()
				if err == nil {
					err = logos.Remove(args.Name)
				}
				if err != nil {
					return nothing{}, err
				}
				s.listLogos()
				s.did(ctx, "deleted the logo %s", args.Name)
				return nothing{}, nil
			}, ErrUnsupported, graphics.ErrNoLogo),
	}
}

func (s *Studio) logos() (*graphics.Logos, error) {
	if s.rooms.Logos == nil {
		return nil, fmt.Errorf("this studio keeps no logos: %w", ErrUnsupported)
	}
	return s.rooms.Logos, nil
}

// listLogos tells the lower thirds which logos there are.
func (s *Studio) listLogos() {
	if s.rooms.Logos == nil {
		return
	}
	names, err := s.rooms.Logos.List()
	if err != nil {
		s.log.Error("the logos can't be listed", "err", err)
		return
	}
	s.desks.graphics.SetLogos(names)
}

// knownLogo fails with graphics.ErrNoLogo when a lower third names one that is not there.
func (s *Studio) knownLogo(text map[string]string) error {
	name := text[graphics.LogoField]
	if name == "" {
		return nil
	}
	logos, err := s.logos()
	if err == nil {
		_, err = logos.Path(name)
	}
	return err
}

// putLogo is PUT /api/v1/logos/{name}: its body is the picture.
func (s *Studio) putLogo(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	logos, err := s.logos()
	if err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(logoTimeout)) // a recorder in tests has none
		err = logos.Put(name, http.MaxBytesReader(w, r.Body, graphics.MaxLogo+1))
	}
	if err != nil {
		s.uploadFailed(w, "logo", name, err)
		return
	}
	s.listLogos()
	s.uploaded(w, r, "logo", name)
}

// getLogo is GET /api/v1/logos/{file}: the picture, for the overlay page and the panel.
func (s *Studio) getLogo(w http.ResponseWriter, r *http.Request) {
	name, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	logos, err := s.logos()
	if err == nil && !isPNG {
		err = fmt.Errorf("logos are PNG: ask for %s.png: %w", quote(name), ErrNotFound)
	}
	var path string
	if err == nil {
		path, err = logos.Path(name)
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		s.fail(w, fmt.Errorf("%w: %w", graphics.ErrNoLogo, err))
		return
	}
	defer f.Close()
	changed := time.Time{} // one that can't be told is sent each time
	if info, err := f.Stat(); err == nil {
		changed = info.ModTime()
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-cache") // it may be replaced: ask, and be told that it is the same
	http.ServeContent(w, r, "", changed, f)
}
