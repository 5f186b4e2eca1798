package auth_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/auth"
)

// tooManyLogins is more than an address may be wrong at once.
const tooManyLogins = 20

func TestGuessingTokensIsSlowedAndLocksNoOneOut(t *testing.T) {
	made := auth.NewToken()
	tokens := []auth.Token{{Name: "Anna", Role: control.Operator, Hash: auth.Hash(made), Created: time.Now()}}
	a := auth.New(func() []auth.Token { return tokens }, "short")
	var last error
	for i := range tooManyLogins {
		_, last = a.Who(fmt.Sprint("guess ", i), "10.0.0.1:99")
	}
	if !errors.Is(last, control.ErrTooMany) {
		t.Fatal(last)
	}
	if _, err := a.Who("short", "10.0.0.1:1"); !errors.Is(err, control.ErrTooMany) {
		t.Fatalf("a token that can be guessed is let in during a guess: %v", err)
	}
	if you, err := a.Who(made, "10.0.0.1:1"); err != nil || you != (control.You{Name: "Anna", Role: control.Operator}) {
		t.Fatalf("a token that can't be guessed is locked out: %v", err)
	}
	if you, err := a.Who("short", "[2001:db8::1]:1"); err != nil || you.Role != control.Admin {
		t.Fatal(err)
	}
}

func TestARevokedTokenIsReportedToThoseWhoServeIt(t *testing.T) {
	a := auth.New(func() []auth.Token { return nil }, "")
	var first, second []string
	a.OnRevoke(func(name string) { first = append(first, name) })
	a.OnRevoke(func(name string) { second = append(second, name) })
	if !a.CommandLimit("Anna").AllowN(time.Now(), auth.CommandsBurst) || a.CommandLimit("Anna").Allow() {
		t.Fatal("commands are not limited")
	}
	a.Revoked("Anna")
	if fmt.Sprint(first, second) != "[Anna] [Anna]" {
		t.Errorf("reported %v %v", first, second)
	}
	if !a.CommandLimit("Anna").Allow() {
		t.Error("the next token of that name starts with the limit of the last")
	}
}
