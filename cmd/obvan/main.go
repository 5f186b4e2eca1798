// Command obvan is a live-streaming studio in one binary: cameras in, cut,
// program out to platforms, watched live in the browser.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

func main() {
	if asksForVersion(os.Args[1:]) {
		build, _ := debug.ReadBuildInfo()
		fmt.Println(versionLine(version, commit, build))
		return
	}
	cfg, err := parse(os.Args[1:], os.LookupEnv, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "obvan:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, cfg, os.Stdout, logger(cfg.log, cfg.logLevel)); err != nil {
		fmt.Fprintln(os.Stderr, "obvan:", err)
		os.Exit(1)
	}
}

// config is what configures the process; what an operator changes is in the state.
type config struct {
	listen listenAddrs
	tls    certificate
	net    network
	data   string
	token  string
	mixer  string
	log    string
	demo   bool

	logLevel slog.Level

	obsPassword string // of the environment only: others on the machine can read flags
}

// listenAddrs is where each listener is.
type listenAddrs struct {
	http, rtmp, rtmps, rtsp, rtsps, webrtc string
	playRTSP, playRTMP                     string
}

// parse reads the flags; an environment variable OBVAN_NAME is used when the flag -name is
// not set.
func parse(args []string, env func(string) (string, bool), usage io.Writer) (config, error) {
	var cfg config
	f := flag.NewFlagSet("obvan", flag.ContinueOnError)
	f.SetOutput(usage)
	f.Usage = func() {
		fmt.Fprintf(usage, "obvan %s: a live-streaming studio in one binary. \"obvan version\" prints the version and the commit. Each flag may also be set as OBVAN_NAME in the environment.\n\n", version)
		f.PrintDefaults()
	}
	text := func(to *string, name, otherwise, what string) { f.StringVar(to, name, otherwise, what) }
	text(&cfg.listen.http, "http", ":8080", "panel and API `address`")
	text(&cfg.listen.rtmp, "rtmp", ":1935", "RTMP ingest `address`")
	text(&cfg.listen.rtmps, "rtmps", ":1937", "RTMPS ingest `address`, with a certificate")
	text(&cfg.listen.rtsp, "rtsp", ":8554", "RTSP ingest `address`")
	text(&cfg.listen.rtsps, "rtsps", ":8322", "RTSPS ingest `address`, with a certificate")
	text(&cfg.listen.webrtc, "webrtc", ":8189", "WebRTC media `address`, UDP and TCP")
	text(&cfg.listen.playRTSP, "play-rtsp", "127.0.0.1:8555", "read-only RTSP `address` for OBS and players")
	text(&cfg.listen.playRTMP, "play-rtmp", "127.0.0.1:1936", "read-only RTMP `address` for OBS and players")
	text(&cfg.tls.auto, "tls", "off", "auto: https with a self-signed certificate (browsers warn once); `auto or off`")
	text(&cfg.tls.cert, "tls-cert", "", "certificate `file` (PEM) for https, RTMPS and RTSPS")
	text(&cfg.tls.key, "tls-key", "", "its private key `file` (PEM)")
	text(&cfg.tls.acme, "acme", "", "get a certificate for this `host` by ACME (Let's Encrypt); its terms are accepted")
	text(&cfg.tls.challenge, "acme-http", ":80", "`address` that the ACME authority connects to")
	text(&cfg.tls.directory, "acme-directory", "", "another ACME authority's directory `URL`; default: Let's Encrypt")
	text(&cfg.net.public, "public-ip", "", "`addresses` of a router that forwards the WebRTC port to this server, comma-separated")
	text(&cfg.net.stun, "stun", "", "STUN server `host:port` that reports the router's address, for this server and for browsers")
	text(&cfg.net.turn, "turn", "", "TURN `URLs` for browsers behind restrictive firewalls, with OBVAN_TURN_SECRET, or OBVAN_TURN_USER and OBVAN_TURN_PASSWORD")
	text(&cfg.data, "data", "obvan-data", "`folder` where the show is stored")
	text(&cfg.token, "token", "", "an admin's `token`, for automation; without it one is created at the first start")
	text(&cfg.mixer, "mixer", "cut", "`mixer`: cut (built in), or obs://HOST:4455 with the password in OBVAN_OBS_PASSWORD")
	text(&cfg.log, "log", "text", "log `format` on stderr: text, or json (then the first line on stdout has the addresses)")
	level := f.String("log-level", "info", "lowest `level` that is logged: debug, info, warn or error")
	f.BoolVar(&cfg.demo, "demo", false, "four built-in demo cameras")
	if err := f.Parse(args); err != nil {
		return config{}, err
	}
	if f.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q: flags only, see -help", f.Arg(0))
	}
	if err := fromEnv(f, env); err != nil {
		return config{}, err
	}
	cfg.obsPassword, _ = env("OBVAN_OBS_PASSWORD")
	cfg.net.env(env)
	if cfg.log != "text" && cfg.log != "json" {
		return config{}, fmt.Errorf("-log %s: use text or json", cfg.log)
	}
	var known bool
	if cfg.logLevel, known = logLevels[*level]; !known {
		return config{}, fmt.Errorf("-log-level %s: use debug, info, warn or error", *level)
	}
	return cfg, errors.Join(cfg.tls.check(), cfg.net.check())
}

func fromEnv(f *flag.FlagSet, env func(string) (string, bool)) (err error) {
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	f.VisitAll(func(fl *flag.Flag) {
		name := "OBVAN_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		value, ok := env(name)
		if !ok || given[fl.Name] {
			return
		}
		if e := f.Set(fl.Name, value); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, e))
		}
	})
	return err
}

// logLevels are the values of -log-level.
var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func logger(format string, least slog.Level) *slog.Logger {
	opts := &slog.HandlerOptions{Level: least}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, opts))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, opts))
}
