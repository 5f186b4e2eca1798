package studio

import (
	"context"
	"fmt"
	"slices"
	"time"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/showfile"
	"obvan/internal/text"
)

// TokenCreateArgs is what token.create takes.
type TokenCreateArgs struct {
	Name string       `json:"name" example:"Anna"`     // whose it is; shown to everyone
	Role control.Role `json:"role" example:"operator"` // what it may do
}

// TokenCreated is what token.create answers.
type TokenCreated struct {
	Token string `json:"token" secret:"true" example:"Q2xpbWIgZXZlcnkgbW91bnRhaW4"` // shown only once
}

// TokenArgs names a token.
type TokenArgs struct {
	Name string `json:"name" example:"Anna"`
}

// TokenInfo is a token without its secret.
type TokenInfo struct {
	Name    string       `json:"name" example:"Anna"`
	Role    control.Role `json:"role" example:"operator"`
	Created time.Time    `json:"created" example:"2026-05-01T18:00:00Z"`
}

func tokenCommands() []Command {
	return []Command{
		command("token.create", control.Admin, "Create a token.",
			func(ctx context.Context, s *Studio, args TokenCreateArgs) (TokenCreated, error) {
				return s.createToken(ctx, args)
			}, control.ErrExists),
		command("token.revoke", control.Admin, "Revoke a token; the connections that use it close at once.",
			func(ctx context.Context, s *Studio, args TokenArgs) (none, error) {
				return none{}, s.revokeToken(ctx, args.Name)
			}, control.ErrNotFound, control.ErrRefused),
		command("token.list", control.Admin, "List the tokens.",
			func(ctx context.Context, s *Studio, _ none) ([]TokenInfo, error) { return s.listTokens(), nil }),
	}
}

const maxTokens = 1000

// createToken gives someone access.
func (s *Studio) createToken(ctx context.Context, args TokenCreateArgs) (TokenCreated, error) {
	name, err := checkName(args.Name)
	if err != nil {
		return TokenCreated{}, err
	}
	token := auth.NewToken()
	err = s.edit(ctx, func(_ *showfile.Show, sec *showfile.Secrets) error {
		if name == auth.Automation || sec.Token(name) >= 0 {
			return fmt.Errorf("token for %s: %w", text.Quote(name), control.ErrExists)
		}
		if len(sec.Tokens) >= maxTokens {
			return control.Invalidf("there are %d tokens already: revoke some", maxTokens)
		}
		sec.Tokens = append(sec.Tokens, auth.Token{Name: name, Role: args.Role, Hash: auth.Hash(token), Created: time.Now().UTC()})
		return nil
	})
	if err != nil {
		return TokenCreated{}, err
	}
	s.logAction(ctx, "gave %s access as %s", name, args.Role)
	return TokenCreated{token}, nil
}

// revokeToken revokes a token, and closes the connections that use it. The last admin's
// stays: without one no token could be created again.
func (s *Studio) revokeToken(ctx context.Context, name string) error {
	err := s.edit(ctx, func(_ *showfile.Show, sec *showfile.Secrets) error {
		i := sec.Token(name)
		if i < 0 {
			return fmt.Errorf("token of %s: %w", text.Quote(name), control.ErrNotFound)
		}
		admin := func(t auth.Token) bool { return t.Role == control.Admin && t.Name != name }
		if sec.Tokens[i].Role == control.Admin && s.opts.Token == "" && !slices.ContainsFunc(sec.Tokens, admin) {
			return fmt.Errorf("%w: it is the only admin token", control.ErrRefused)
		}
		sec.Tokens = slices.Delete(sec.Tokens, i, i+1)
		return nil
	})
	if err != nil {
		return err
	}
	s.logAction(ctx, "revoked %s's access", name)
	s.access.Revoked(name)
	return nil
}

func (s *Studio) listTokens() []TokenInfo {
	all := []TokenInfo{}
	s.file.Read(func(_ *showfile.Show, sec *showfile.Secrets) {
		for _, t := range sec.Tokens {
			all = append(all, TokenInfo{t.Name, t.Role, t.Created})
		}
	})
	return all
}
