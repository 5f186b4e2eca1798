package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// lan is this machine's address in its network.
func lan(t testing.TB) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	t.Skip("this machine is in no network")
	return ""
}

func TestPlainHTTPOnALANSaysWhatIsMissing(t *testing.T) {
	parallel(t, heavy)
	host := lan(t)
	s := start(t, "-http", "0.0.0.0:0")
	_, port, _ := net.SplitHostPort(s.listen["http"])
	b := fakeCamera(t)
	b.do(chromedp.Navigate("http://" + net.JoinHostPort(host, port) + "/camera#feed=phone"))
	b.until(5*time.Second, `/not secure/.test(document.body.innerText) && /-tls auto/.test(document.body.innerText)`)
	b.screenshot("camera-insecure")
}

func TestASelfSignedCertificateLetsPhonesBeCameras(t *testing.T) {
	parallel(t, heavy)
	data := t.TempDir()
	s := startSecure(t, lan(t), data)
	added := s.ask("POST", "/api/v1/feed.add", `{"id":"phone","name":"Phone"}`)
	_, rest, _ := strings.Cut(added, `"key":"`)
	key, _, _ := strings.Cut(rest, `"`)
	if len(key) < 16 {
		t.Fatalf("feed.add: %s", added)
	}
	leaf := s.leaf
	if err := leaf.VerifyHostname(s.host); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(data, "tls", "key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
	if resp, err := s.client.Get(strings.Replace(s.page, "https:", "http:", 1) + "/camera"); err != nil || resp.Request.URL.Scheme != "https" {
		t.Errorf("plain http leads to %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	link := fmt.Sprintf("%s/camera#feed=phone&key=%s", s.page, key)
	b := newBrowser(t, 420, 800, "use-fake-device-for-media-stream=device-count=1,fps=30", "use-fake-ui-for-media-stream", "ignore-certificate-errors")
	b.do(chromedp.Navigate(link))
	b.until(5*time.Second, `document.querySelector('main')?.dataset.tally === 'dark'`)
	b.do(chromedp.Click(chromedp.CSS("button.go")))
	b.until(10*time.Second, `document.querySelector('main').dataset.sending === 'sending'`)
	s.showsCode(link)

	// A restart shows the same certificate: browsers don't warn again.
	s.stop()
	s = startSecure(t, s.host, data)
	s.ask("GET", "/api/v1/me", "")
	if !s.leaf.Equal(leaf) {
		t.Error("the restart made another certificate")
	}
}

// secureStudio is a server that its network can reach by https.
type secureStudio struct {
	*studio
	host, page string
	client     *http.Client
	leaf       *x509.Certificate // that it showed last
}

func startSecure(t *testing.T, host, data string) *secureStudio {
	t.Helper()
	s := &secureStudio{host: host}
	s.studio = startIn(t, data, "-http", "0.0.0.0:0", "-tls", "auto", "-rtmps", "127.0.0.1:0", "-rtsps", "127.0.0.1:0", "-webrtc", "0.0.0.0:0")
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	_, port, _ := net.SplitHostPort(s.listen["http"])
	s.page = "https://" + net.JoinHostPort(host, port)
	return s
}

// ask is the answer to a request of the admin's.
func (s *secureStudio) ask(method, path, body string) string {
	s.t.Helper()
	req, err := http.NewRequest(method, s.page+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	s.leaf = resp.TLS.PeerCertificates[0]
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

// showsCode checks that the panel shows a QR code of a link for the next phone.
func (s *secureStudio) showsCode(link string) {
	s.t.Helper()
	p := newBrowser(s.t, 1200, 1000, "ignore-certificate-errors")
	p.do(chromedp.Navigate(s.page + "/#token=" + token))
	p.until(10*time.Second, `document.querySelector('[data-source="phone"] video')?.currentTime > 0.5`)
	p.eval(`document.querySelector('[aria-label="Phone: settings"]').click()`, nil)
	p.until(5*time.Second, `[...document.querySelectorAll('button')].some(b => /Show connection details/.test(b.textContent))`)
	p.eval(`[...document.querySelectorAll('button')].find(b => /Show connection details/.test(b.textContent)).click()`, nil)
	p.until(5*time.Second, `document.querySelector('img[alt^="QR code"]')?.naturalWidth > 0`)
	var got string
	p.eval(`[...document.querySelectorAll('.copy input')].map(i => i.value).find(v => v.includes('/camera#'))`, &got)
	if got != link {
		s.t.Errorf("the link is %s, want %s", got, link)
	}
	p.screenshot("camera-qr")
}
