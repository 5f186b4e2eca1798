package mirror

import (
	"fmt"
	"slices"
	"strings"

	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/stream"

	"obvan/mixer"
)

// health keeps the last two answers, because OBS' counters are since its start.
type health struct {
	now, before   *general.GetStatsResponse
	sent, sentOld stream.GetStreamStatusResponse
}

// Limits beyond which words are said.
const (
	lagShare   = 0.05 // of the pictures since the last answer
	smallDisk  = 2048 // MB
	fewPicture = 1    // a second
)

func (h *health) state(frozen []string) *mixer.Health {
	if h.now == nil {
		return nil
	}
	s := h.now
	return &mixer.Health{
		Words:      h.words(frozen),
		CPUPercent: s.CpuUsage, MemoryMB: s.MemoryUsage, FPS: s.ActiveFps, RenderMs: s.AverageFrameRenderTime,
		RenderSkipped: int64(s.RenderSkippedFrames), EncoderSkipped: int64(s.OutputSkippedFrames),
		DiskFreeMB: s.AvailableDiskSpace,
	}
}

func (h *health) words(frozen []string) []string {
	var words []string
	if len(frozen) > 0 {
		words = append(words, "OBS gets no pictures from "+strings.Join(frozen, ", "))
	}
	if h.now.AvailableDiskSpace > 0 && h.now.AvailableDiskSpace < smallDisk {
		words = append(words, fmt.Sprintf("the disk OBS records to has only %.0f MB left", h.now.AvailableDiskSpace))
	}
	if h.before == nil {
		return words
	}
	rendered := h.now.RenderTotalFrames - h.before.RenderTotalFrames
	switch {
	case rendered < fewPicture:
		words = append(words, "OBS has stopped making pictures")
	case h.now.RenderSkippedFrames-h.before.RenderSkippedFrames > rendered*lagShare:
		words = append(words, "OBS can't draw all pictures in time: the computer or its graphics card is overloaded")
	}
	encoded := h.now.OutputTotalFrames - h.before.OutputTotalFrames
	if encoded > 0 && h.now.OutputSkippedFrames-h.before.OutputSkippedFrames > encoded*lagShare {
		words = append(words, "the encoder can't keep up: choose a faster preset or a smaller picture")
	}
	sent := h.sent.OutputTotalFrames - h.sentOld.OutputTotalFrames
	if sent > 0 && h.sent.OutputSkippedFrames-h.sentOld.OutputSkippedFrames > sent*lagShare {
		words = append(words, "OBS leaves pictures out because its stream does not get away fast enough")
	}
	return slices.Clip(words)
}

func (h *health) add(s *general.GetStatsResponse, sent stream.GetStreamStatusResponse) {
	h.before, h.sentOld = h.now, h.sent
	h.now, h.sent = s, sent
}

// Rendered is how many pictures OBS made since it started: when there were more
// before, it is not the same process.
func (m *Mirror) Rendered() float64 {
	if m.health.now == nil {
		return 0
	}
	return m.health.now.RenderTotalFrames
}
