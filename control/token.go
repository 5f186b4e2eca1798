package control

import (
	"context"
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
			}, ErrNotFound),
		command("token.list", Admin, "Who has access.",
			func(ctx context.Context, s *Studio, _ nothing) ([]TokenInfo, error) { return s.listTokens(), nil }),
	}
}
