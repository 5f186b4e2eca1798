package layers_test

import (
	"testing"

	"obvan/internal/layers"
)

func TestAnImportThatDoesNotFitIsNamed(t *testing.T) {
	for i, fits := range map[layers.Import]bool{
		{"cmd/obvan", "control/server"}:          true,
		{"control/server", "control/store"}:      true,
		{"control/studio", "control/showfile"}:   true,
		{"control/showfile", "control/auth"}:     true,
		{"ingest/rtsp", "ingest"}:                true,
		{"mixer/obs", "mixer/obs/wire"}:          true,
		{"hub", "internal/retry"}:                true,
		{"internal/listen", "internal/netaddr"}:  true,
		{"internal/listen", "internal/retry"}:    true,
		{"control/server", "control/studio"}:     true,
		{"control/studio", "control/server"}:     false,
		{"control/store", "control/auth"}:        false,
		{"control/server", "control/showfile"}:   false,
		{"cmd/obvan", "control/showfile"}:        false,
		{"control", "control/store"}:             false,
		{"ingest", "ingest/rtsp"}:                false,
		{"hub", "ingest"}:                        false,
		{"ingest/rtsp", "relay/rtsp"}:            false,
		{"internal/retry", "hub"}:                false,
		{"control/studio", "control/nosuchroom"}: false,
		{"elsewhere", "hub"}:                     false,
	} {
		if problem := i.Problem(); (problem == "") != fits {
			t.Errorf("%s imports %s: %q", i.From, i.To, problem)
		}
	}
}
