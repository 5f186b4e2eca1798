package rtmp_test

import (
	"testing"

	"obvan/internal/testkit"
)

func TestMeasureContract(t *testing.T) {
	testkit.OnlyMeasuring(t)
	TestContract(t)
}

func TestMeasureFrozenServer(t *testing.T) {
	testkit.OnlyMeasuring(t)
	TestAFrozenServerIsNotCalledLiveTwoSecondsLater(t)
}
