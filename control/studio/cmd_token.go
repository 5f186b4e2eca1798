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
	Name string       `json:"name" example:"Anna"`     // whose it is; shown to everybody
	Role control.Role `json:"role" example:"operator"` // what it may do
}

// TokenCreated is what token.create answers.
type TokenCreated struct {
	Token string `json:"token" secret:"true" example:"Q2xpbWIgZXZlcnkgbW91bnRhaW4"` // shown this once
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
		command("token.create", control.Admin, "Give somebody access.",
			func(ctx context.Context, s *Studio, args TokenCreateArgs) (TokenCreated, error) {
				return s.createToken(ctx, args)
			}, control.ErrExists),
		command("token.revoke", control.Admin, "Take somebody's access away; their connections close at once.",
			func(ctx context.Context, s *Studio, args TokenArgs) (none, error) {
				return none{}, s.revokeToken(ctx, args.Name)
			}, control.ErrNotFound, control.ErrRefused),
		command("token.list", control.Admin, "Who has access.",
			func(ctx context.Context, s *Studio, _ none) ([]TokenInfo, error) { return s.listTokens(), nil }),
	}
}

const maxTokens = 1000

// createToken gives somebody access.
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

// revokeToken takes access away, and closes what is open by it. The last admin stays:
// without one nobody could be given access again.
func (s *Studio) revokeToken(ctx context.Context, name string) error {
	err := s.edit(ctx, func(_ *showfile.Show, sec *showfile.Secrets) error {
		i := sec.Token(name)
		if i < 0 {
			return fmt.Errorf("token of %s: %w", text.Quote(name), control.ErrNotFound)
		}
		admin := func(t auth.Token) bool { return t.Role == control.Admin && t.Name != name }
		if sec.Tokens[i].Role == control.Admin && s.opts.Token == "" && !slices.ContainsFunc(sec.Tokens, admin) {
			return fmt.Errorf("%w: it is the last admin's token", control.ErrRefused)
		}
		sec.Tokens = slices.Delete(sec.Tokens, i, i+1)
		return nil
	})
	if err != nil {
		return err
	}
	s.logAction(ctx, "took the access of %s away", name)
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
