package e2e

import (
	"testing"

	"obvan/internal/testkit"
)

// scaled is how long or how often a scenario does something: in make test no more than
// proves its point, in make measure enough for figures.
func scaled[T any](test, measure T) T {
	if testkit.Measuring() {
		return measure
	}
	return test
}

// TestMeasure is the scenarios that end in figures: most are tests of make test, which run
// here longer and one at a time.
func TestMeasure(t *testing.T) {
	testkit.OnlyMeasuring(t)
	for _, scenario := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"idle server", anIdleServer},
		{"monitor", TestTheMonitorPlaysEveryKindOfStream},
		{"monitor, many tiles", TestAMultiviewShowsAllItsFeeds},
		{"monitor, the program by WHEP", TestChromiumPlaysTheProgramByWHEP},
		{"monitor, interrupted network path", TestALostNetworkPathHealsInTheBrowser},
		{"panel", TestAnOperatorSeesFourCamerasAndCutsBetweenThem},
		{"phone camera", TestAPhoneBecomesACameraAndGoesOnAir},
		{"instant cuts", TestInstantCutsArriveAtTheDestinationInOrder},
		{"instant cuts in a browser", TestABrowserPlaysInstantCuts},
		{"freeze frame", TestAFreezeFrameIsDecodedAndPlayedAtFullRate},
		{"stalled destination", TestADestinationThatIsLostOrStallsAffectsNoOther},
		{"OBS, cuts", TestRealOBSCutsInstantlyAndKeepsItsTransition},
		{"OBS, cuts in its output", TestRealOBSCutReachesItsOutput},
		{"OBS, cuts at the destination", TestOBSIsTheStudiosMixer},
		{"OBS, camera to destination", TestACameraReachesTheViewerThroughOBS},
		{"OBS, audio meters", TestRealOBSSendsItsAudioLevels},
		{"OBS, killed on air", TestOBSIsKilledOnAirAndNoDestinationNotices},
	} {
		t.Run(scenario.name, scenario.run)
	}
}
