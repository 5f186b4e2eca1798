package control

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// TokenCreateArgs is what token.create takes.
type TokenCreateArgs struct {
	Name string `json:"name" example:"Anna"`     // whose it is; shown to everybody
	Role Role   `json:"role" example:"operator"` // what it may do
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
	Name    string    `json:"name" example:"Anna"`
	Role    Role      `json:"role" example:"operator"`
	Created time.Time `json:"created" example:"2026-05-01T18:00:00Z"`
}

func tokenCommands() []Command {
	return []Command{
		command("token.create", Admin, "Give somebody access.",
			func(ctx context.Context, s *Studio, args TokenCreateArgs) (TokenCreated, error) {
				return s.createToken(ctx, args)
			}, ErrExists),
		command("token.revoke", Admin, "Take somebody's access away; their connections close at once.",
			func(ctx context.Context, s *Studio, args TokenArgs) (nothing, error) {
				return nothing{}, s.revokeToken(ctx, args.Name)
			}, ErrNotFound, ErrRefused),
		command("token.list", Admin, "Who has access.",
			func(ctx context.Context, s *Studio, _ nothing) ([]TokenInfo, error) { return s.listTokens(), nil }),
	}
}

const mostTokens = 1000

// createToken gives somebody access.
func (s *Studio) createToken(ctx context.Context, args TokenCreateArgs) (TokenCreated, error) {
	name, err := title(args.Name)
	if err != nil {
		return TokenCreated{}, err
	}
	token := newSecret()
	err = s.edit(ctx, func(_ *kept, sec *secrets) error {
		if name == automation || tokenOf(sec, name) >= 0 {
			return fmt.Errorf("token for %s: %w", quote(name), ErrExists)
		}
		if len(sec.Tokens) >= mostTokens {
			return badf("there are %d tokens already: revoke some", mostTokens)
		}
		sec.Tokens = append(sec.Tokens, keptToken{name, args.Role, hashOf(token), time.Now().UTC()})
		return nil
	})
	if err != nil {
		return TokenCreated{}, err
	}
	s.did(ctx, "gave %s access as %s", name, args.Role)
	return TokenCreated{token}, nil
}

// revokeToken takes access away, and closes what is open by it. The last admin stays:
// without one nobody could be given access again.
func (s *Studio) revokeToken(ctx context.Context, name string) error {
	err := s.edit(ctx, func(_ *kept, sec *secrets) error {
		i := tokenOf(sec, name)
		if i < 0 {
			return fmt.Errorf("token of %s: %w", quote(name), ErrNotFound)
		}
		admin := func(t keptToken) bool { return t.Role == Admin && t.Name != name }
		if sec.Tokens[i].Role == Admin && s.opts.Token == "" && !slices.ContainsFunc(sec.Tokens, admin) {
			return fmt.Errorf("%w: it is the last admin's token", ErrRefused)
		}
		sec.Tokens = slices.Delete(sec.Tokens, i, i+1)
		return nil
	})
	if err != nil {
		return err
	}
	s.did(ctx, "took the access of %s away", name)
	s.doors.shut(name)
	s.access.floods.forget(name)
	if s.rooms.Monitor != nil {
		s.rooms.Monitor.End(name)
	}
	return nil
}

func (s *Studio) listTokens() []TokenInfo {
	all := []TokenInfo{}
	s.book.read(func(_ *kept, sec *secrets) {
		for _, t := range sec.Tokens {
			all = append(all, TokenInfo{t.Name, t.Role, t.Created})
		}
	})
	return all
}

func tokenOf(sec *secrets, name string) int {
	return slices.IndexFunc(sec.Tokens, func(t keptToken) bool { return t.Name == name })
}
