package studio

import (
	"context"
	"time"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/graphics"
)

// What tests of the studio look at or turn by hand.
const (
	LogLines       = logLines
	MaxLine        = maxLine
	MaxPages       = maxPages
	UsualSelfTest  = defaultSelfTest
	SaveEvery      = retrySaveEvery
	SavedAgainText = savedAgainText
)

var Tally = tally

func (s *Studio) Graphics() graphics.State                    { return s.areas.graphics.State() }
func (s *Studio) GraphicReport(now time.Time) graphics.Report { return s.graphicReport(now) }
func (s *Studio) Heartbeat(args HeartbeatArgs) error          { return s.heartbeat(args) }
func (s *Studio) FollowOBS()                                  { s.areas.obs.wake() }
func (s *Studio) Note(l control.Level, f string, args ...any) { s.logEvent(l, f, args...) }
func (s *Studio) Edit(ctx context.Context, change func(*showfile.Show, *showfile.Secrets) error) error {
	return s.edit(ctx, change)
}
