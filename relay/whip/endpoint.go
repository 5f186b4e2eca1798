package whip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"

	"obvan/relay"
)

const (
	requestTimeout = 8 * time.Second
	leaveTimeout   = time.Second
	maxAnswer      = 64 << 10
	maxComment     = 1 << 10

	maxRedirects = 4
)

// endpoint is the HTTP side: where the offer is sent, and the session is ended.
type endpoint struct {
	url     string
	token   string
	secrets []string
	client  *http.Client

	resource string             // of the session; "" while there is none
	servers  []webrtc.ICEServer // that the endpoint offers for reaching it
}

func newEndpoint(u *url.URL, config *tls.Config) *endpoint {
	at := *u
	at.Fragment, at.RawFragment = "", ""
	switch u.Scheme {
	case "whip":
		at.Scheme = "http"
	case "whips":
		at.Scheme = "https"
	}
	e := &endpoint{url: at.String(), token: u.Fragment, secrets: relay.Secrets(u)}
	e.client = &http.Client{CheckRedirect: e.follow, Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, TLSHandshakeTimeout: requestTimeout,
		ResponseHeaderTimeout: requestTimeout, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
	}}
	return e
}

// follow lets a platform redirect us to one of its machines with 307 and 308 (RFC 9725,
// 4.5), along with the token, which that machine needs too. After other redirects a GET
// would follow, which is not WHIP.
func (e *endpoint) follow(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) > maxRedirects || req.Method != first.Method || first.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	e.authorize(req)
	return nil
}

func (e *endpoint) authorize(req *http.Request) {
	if e.token != "" {
		req.Header.Set("Authorization", "Bearer "+e.token)
	}
}

// offer posts an offer and returns the answer (RFC 9725, 4.2).
func (e *endpoint) offer(ctx context.Context, sdp string) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := e.request(ctx, http.MethodPost, e.url, sdp)
	if err != nil {
		return "", fmt.Errorf("connect: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return "", refusal(resp)
	}
	if where, err := resp.Location(); err == nil {
		e.resource = where.String()
	}
	e.servers = iceServers(resp.Header)
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/sdp" {
		return "", errors.New("the server's answer is not a session description: check that this is a WHIP address")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return "", errors.New("the server's answer is truncated or too long")
	}
	return string(body), nil
}

// leave ends the session (4.2), so that the server need not wait for a timeout.
func (e *endpoint) leave() {
	if e.resource == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if resp, err := e.request(ctx, http.MethodDelete, e.resource, ""); err == nil {
		_ = resp.Body.Close()
	}
	e.resource = ""
}

func (e *endpoint) request(ctx context.Context, method, to, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
	if err != nil {
		return nil, relay.NewRemoteError(relay.ErrInvalidAddress, "it must look like whips://host/path")
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/sdp")
	}
	e.authorize(req)
	resp, err := e.client.Do(req)
	if of := (*url.Error)(nil); errors.As(err, &of) {
		err = of.Err // without the address, which may hold secrets
	}
	return resp, err
}

// refusal is a server's refusal. A server that is busy or faulty may take the stream
// later.
func refusal(resp *http.Response) error {
	text := http.StatusText(resp.StatusCode)
	if text == "" {
		text = "status"
	}
	text = fmt.Sprintf("%s (%d)", text, resp.StatusCode)
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); strings.HasPrefix(kind, "text/plain") || strings.HasSuffix(kind, "json") {
		if comment, _ := io.ReadAll(io.LimitReader(resp.Body, maxComment)); len(comment) > 0 {
			text += ": " + relay.CleanText(string(comment))
		}
	}
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		return relay.NewRemoteError(relay.ErrRefused, "the address has changed, copy it again from the platform's page: "+text)
	case code == http.StatusConflict:
		return relay.NewRemoteError(relay.ErrRefused, "the stream is already in use: "+text)
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500 && code != http.StatusNotImplemented:
		return errors.New("the server says: " + relay.CleanText(text))
	}
	if means := statusTexts[resp.StatusCode]; means != "" {
		text = means + ": " + text
	}
	return relay.NewRemoteError(relay.ErrRefused, text)
}

// statusTexts is what refusals mean for someone who wants to publish.
var statusTexts = map[int]string{
	http.StatusUnauthorized:         "the key (bearer token) is wrong or missing",
	http.StatusForbidden:            "the key does not permit publishing there",
	http.StatusNotFound:             "nothing was found at this address",
	http.StatusGone:                 "the event there is over",
	http.StatusMethodNotAllowed:     "the server there does not accept WHIP",
	http.StatusUnsupportedMediaType: "the server there does not accept WHIP",
	http.StatusNotImplemented:       "the server there does not accept WHIP",
	http.StatusNotAcceptable:        "it does not accept this video or audio",
	http.StatusUnprocessableEntity:  "it does not accept this video or audio",
}
