package piped_test

import (
	"io"
	"os/exec"
	"testing"

	"obvan/internal/piped"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestAChildReadsOnePipeAndWritesTheOther(t *testing.T) {
	cmd := exec.Command(testkit.Tool(t, "cat"))
	in, out, err := piped.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := in.WriteString("on air"); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(out); string(got) != "on air" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAMissingProgramIsAnError(t *testing.T) {
	if _, _, err := piped.Start(exec.Command("/nowhere/ffmpeg")); err == nil {
		t.Error("it started")
	}
}
