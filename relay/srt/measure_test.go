package srt_test

import (
	"testing"

	"obvan/internal/testkit"
)

func TestMeasureContract(t *testing.T) {
	testkit.OnlyMeasuring(t)
	TestContract(t)
}

func TestMeasureLoss(t *testing.T) {
	testkit.OnlyMeasuring(t)
	TestALossyPathDeliversAllFrames(t)
}
