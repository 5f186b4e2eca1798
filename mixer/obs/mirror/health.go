package mirror

import (
	"fmt"
	"strings"

	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/stream"

	"obvan/mixer"
)

// health keeps the answers of the last seconds, because OBS' counters are since its
// start, and a single late frame does not matter.
type health struct {
	samples []sample // oldest first
}

type sample struct {
	stats *general.GetStatsResponse
	sent  stream.GetStreamStatusResponse
}

const window = 6 // samples, at one a second

// Limits beyond which there is a warning.
const (
	lateShare = 0.05 // of the frames in the window
	minDiskMB = 2048 // MB
	minFrames = 3    // in the window
)

func (h *health) state(frozen []string) *mixer.Health {
	if len(h.samples) == 0 {
		return nil
	}
	s := h.samples[len(h.samples)-1].stats
	return &mixer.Health{
		Warnings:   h.warnings(frozen),
		CPUPercent: s.CpuUsage, MemoryMB: s.MemoryUsage, FPS: s.ActiveFps, RenderMs: s.AverageFrameRenderTime,
		RenderSkipped: int64(s.RenderSkippedFrames), EncoderSkipped: int64(s.OutputSkippedFrames),
		DiskFreeMB: s.AvailableDiskSpace,
	}
}

func (h *health) warnings(frozen []string) []string {
	var warnings []string
	if len(frozen) > 0 {
		warnings = append(warnings, "OBS is receiving no video from "+strings.Join(frozen, ", "))
	}
	last, first := &h.samples[len(h.samples)-1], &h.samples[0]
	now, before := last.stats, first.stats
	if now.AvailableDiskSpace > 0 && now.AvailableDiskSpace < minDiskMB {
		warnings = append(warnings, fmt.Sprintf("the disk OBS records to has only %.0f MB left", now.AvailableDiskSpace))
	}
	if len(h.samples) < window/2 {
		return warnings // not enough samples yet
	}
	rendered := now.RenderTotalFrames - before.RenderTotalFrames
	switch {
	case rendered < minFrames:
		warnings = append(warnings, "OBS has stopped rendering")
	case now.RenderSkippedFrames-before.RenderSkippedFrames > rendered*lateShare:
		warnings = append(warnings, "OBS can't render all frames in time: the computer or its graphics card is overloaded")
	}
	encoded := now.OutputTotalFrames - before.OutputTotalFrames
	if encoded > 0 && now.OutputSkippedFrames-before.OutputSkippedFrames > encoded*lateShare {
		warnings = append(warnings, "OBS' encoder can't keep up: choose a faster preset or a lower resolution")
	}
	sent := last.sent.OutputTotalFrames - first.sent.OutputTotalFrames
	if sent > 0 && last.sent.OutputSkippedFrames-first.sent.OutputSkippedFrames > sent*lateShare {
		warnings = append(warnings, "OBS is dropping frames: the network connection of its stream is too slow")
	}
	return warnings
}

func (h *health) add(s *general.GetStatsResponse, sent stream.GetStreamStatusResponse) {
	h.samples = append(h.samples, sample{s, sent})
	if len(h.samples) > window {
		h.samples = append(h.samples[:0:0], h.samples[1:]...)
	}
}

// Rendered is how many frames OBS has rendered since it started: when there were more
// before, it is another process.
func (m *Mirror) Rendered() float64 {
	if n := len(m.health.samples); n > 0 {
		return m.health.samples[n-1].stats.RenderTotalFrames
	}
	return 0
}
