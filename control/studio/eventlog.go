package studio

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"obvan/control"
	"obvan/control/showfile"
)

// Bounds of the event log.
const (
	logLines = 200
	maxLine  = 300 // letters
)

// commandTimeout is how long a command may take: shorter than a panel waits before it
// shows the outcome as unknown, so that it hears of a mixer that hangs.
const commandTimeout = 5 * time.Second

// logAction logs what a caller did: "cut to cam2".
func (s *Studio) logAction(ctx context.Context, format string, args ...any) {
	c := control.CallerOf(ctx)
	text := s.logLine(format, args...)
	s.asRun.Add(showfile.AsRunLine{At: time.Now().UTC(), Level: control.Info, Who: c.Name, Role: c.Role.String(), Remote: c.Remote, Command: c.Command, Text: text})
	s.log.Info("command", "who", c.Name, "remote", c.Remote, "command", c.Command, "did", text)
	s.appendLog(control.LogEntry{At: time.Now().UTC(), Level: control.Info, Who: c.Name, Text: text})
}

// logEvent logs what happened without a command, as a sentence.
func (s *Studio) logEvent(level control.Level, format string, args ...any) {
	text := s.logLine(format, args...)
	s.asRun.Add(showfile.AsRunLine{At: time.Now().UTC(), Level: level, Text: text})
	s.appendLog(control.LogEntry{At: time.Now().UTC(), Level: level, Text: text})
}

func (s *Studio) appendLog(e control.LogEntry) {
	s.store.Update(func(st *control.State) {
		if len(st.Log) >= logLines {
			copy(st.Log, st.Log[len(st.Log)-logLines+1:])
			st.Log = st.Log[:logLines-1]
		}
		st.Log = append(st.Log, e)
	})
}

// logLine makes a text fit for the log: one line, not too long, without secrets.
func (s *Studio) logLine(format string, args ...any) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s.Redact(fmt.Sprintf(format, args...)))
	if letters := []rune(text); len(letters) > maxLine {
		text = string(letters[:maxLine-1]) + "…"
	}
	return text
}

// Redact takes every secret that is stored out of a text.
func (s *Studio) Redact(text string) string {
	return s.file.Redact(text, s.opts.Token, s.opts.OBSPassword)
}
