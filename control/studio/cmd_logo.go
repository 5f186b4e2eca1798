package studio

import (
	"context"
	"fmt"
	"io"

	"obvan/control"
	"obvan/graphics"
)

// LogoArgs names a logo.
type LogoArgs struct {
	Name string `json:"name" example:"sponsor"`
}

func logoCommands() []Command {
	return []Command{
		command("logo.remove", control.Operator, "Delete a lower-third logo; lower thirds that use it are shown without it. PUT /api/v1/logos/NAME uploads a PNG or JPEG, GET /api/v1/logos/NAME.png returns it.",
			func(ctx context.Context, s *Studio, args LogoArgs) (none, error) {
				logos, err := s.logos()
				if err == nil {
					err = logos.Remove(args.Name)
				}
				if err != nil {
					return none{}, err
				}
				s.updateLogos()
				s.logAction(ctx, "deleted the logo %s", args.Name)
				return none{}, nil
			}, control.ErrUnsupported, graphics.ErrNoLogo),
	}
}

func (s *Studio) logos() (*graphics.Logos, error) {
	if s.deps.Logos == nil {
		return nil, fmt.Errorf("logos: %w by this server", control.ErrUnsupported)
	}
	return s.deps.Logos, nil
}

// updateLogos tells the lower thirds which logos there are.
func (s *Studio) updateLogos() {
	if s.deps.Logos == nil {
		return
	}
	names, err := s.deps.Logos.List()
	if err != nil {
		s.log.Error("logos can't be listed", "err", err)
		return
	}
	s.areas.graphics.SetLogos(names)
}

// knownLogo fails with graphics.ErrNoLogo when a lower third names a logo that does not exist.
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

// PutLogo stores a logo; content is a PNG or JPEG.
func (s *Studio) PutLogo(ctx context.Context, name string, content io.Reader) error {
	logos, err := s.logos()
	if err == nil {
		err = logos.Put(name, content)
	}
	if err != nil {
		return s.uploadFailed("logo", name, err)
	}
	s.updateLogos()
	s.uploaded(ctx, "logo", name)
	return nil
}

// LogoFile is the path of a logo's file, a PNG.
func (s *Studio) LogoFile(name string) (string, error) {
	logos, err := s.logos()
	if err != nil {
		return "", err
	}
	return logos.Path(name)
}
