package listen

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
)

func TestPlainHTTPIsSentToHTTPS(t *testing.T) {
	pair := httptest.NewUnstartedServer(nil)
	pair.StartTLS()
	config := &tls.Config{Certificates: pair.TLS.Certificates}
	pair.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	startServer := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secure "+r.URL.String()) })}
	go startServer.Serve(tls.NewListener(ToHTTPS{l}, config))
	defer startServer.Close()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + l.Addr().String() + "/camera%20x?a=b")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "secure /camera%20x?a=b" || resp.Request.URL.Scheme != "https" {
		t.Errorf("%s from %v", body, resp.Request.URL)
	}
	for request, want := range map[string]string{
		"POST / HTTP/1.1\r\nHost: a\r\n\r\n":                          "HTTP/1.1 400",
		"GET / HTTP/1.1\r\nHost: a\"b<c>\r\n\r\n":                     "",
		"GET /" + strings.Repeat("x", 9000) + " HTTP/1.1\r\n\r\n":     "",
		"GET /%0d%0aSet-Cookie:x HTTP/1.1\r\nHost: a.example\r\n\r\n": "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://a.example/%0D%0ASet-Cookie:x\r\n",
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, request)
		conn.SetReadDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
		got, _ := io.ReadAll(conn)
		conn.Close()
		if !strings.HasPrefix(strings.ToUpper(string(got)), strings.ToUpper(want)) || want == "" && len(got) > 0 {
			t.Errorf("%.40q: %q", request, got)
		}
	}
}
