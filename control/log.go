package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Bounds of the event log.
const (
	logLines    = 200
	longestLine = 300 // letters
)

// commandTimeout is how long a command may take: shorter than a panel waits before it
// calls the outcome unknown, so that it learns of a mixer that hangs.
const commandTimeout = 5 * time.Second

// caller is who gives a command, and from where.
type caller struct {
	You
	remote  string
	kind    Kind
	command string
	socket  *socket // nil for a command that came another way
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// did notes what somebody did: "put cam2 on air".
func (s *Studio) did(ctx context.Context, format string, args ...any) {
	c := callerOf(ctx)
	text := s.line(format, args...)
	s.asRun.add(AsRun{At: time.Now().UTC(), Level: Info, Who: c.Name, Role: c.Role.String(), Remote: c.remote, Command: c.command, Text: text})
	s.log.Info("command", "who", c.Name, "remote", c.remote, "command", c.command, "did", text)
	s.append(LogEntry{At: time.Now().UTC(), Level: Info, Who: c.Name, Text: text})
}

// note notes what happened by itself, in a sentence.
func (s *Studio) note(level Level, format string, args ...any) {
	text := s.line(format, args...)
	s.asRun.add(AsRun{At: time.Now().UTC(), Level: level, Text: text})
	s.append(LogEntry{At: time.Now().UTC(), Level: level, Text: text})
}

func (s *Studio) append(e LogEntry) {
	s.store.Update(func(st *State) {
		if len(st.Log) >= logLines {
			copy(st.Log, st.Log[len(st.Log)-logLines+1:])
			st.Log = st.Log[:logLines-1]
		}
		st.Log = append(st.Log, e)
	})
}

// line makes a text fit for the log: one line, not too long, without secrets.
func (s *Studio) line(format string, args ...any) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s.scrub(fmt.Sprintf(format, args...)))
	if letters := []rune(text); len(letters) > longestLine {
		text = string(letters[:longestLine-1]) + "…"
	}
	return text
}

// shortestScrub: a shorter secret is more likely a word that only looks like one.
const shortestScrub = 6

// scrub takes every secret we keep out of a text. Rooms leave them out themselves;
// this is the second lock on the door.
func (s *Studio) scrub(text string) string {
	if text == "" {
		return ""
	}
	strike := func(secret string) {
		if len(secret) >= shortestScrub {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	s.book.read(func(_ *kept, sec *secrets) {
		strike(sec.MixerKey)
		strike(sec.OBSPassword)
		for _, f := range sec.Feeds {
			strike(f.Key)
			for _, secret := range secretsOf(f.URL) {
				strike(secret)
			}
		}
		for _, d := range sec.Destinations {
			strike(d.Key)
			for _, secret := range append(secretsOf(d.URL), secretsOf(d.BackupURL)...) {
				strike(secret)
			}
		}
	})
	strike(s.opts.Token)
	strike(s.opts.OBSPassword)
	return text
}

func isNotSaved(err error) bool { return errors.Is(err, errNotSaved) }
