package rtsp_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"

	"obvan/ingest"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
)

func TestADeviceMayAuthenticateByDigest(t *testing.T) {
	addr, h := serveWith(t, func(r ingest.Request) error {
		if r.Key == "" && r.Proves != nil && r.Proves("secret") && !r.Proves("") {
			return nil
		}
		return ingest.ErrUnauthorised
	})
	u := &url.URL{Scheme: "rtsp", Host: addr, Path: "/cam", User: url.UserPassword("admin", "wrong")}
	if c, err := record(u, ingesttest.Tracks(), gortsplib.TransportTCP); err == nil {
		c.Leave()
		t.Fatal("admitted with a wrong password")
	}
	u.User = url.UserPassword("admin", "secret")
	c, err := record(u, ingesttest.Tracks(), gortsplib.TransportTCP)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Stream("cam"); !ok {
		t.Fatal("no feed")
	}
	c.Leave()
	testkit.Eventually(t, 5*time.Second, func() bool { _, ok := h.Stream("cam"); return !ok }, "the feed is removed")
}
