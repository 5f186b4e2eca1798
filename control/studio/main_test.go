package studio_test

import (
	"testing"

	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
