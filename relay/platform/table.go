package platform

import "time"

// All is the table, custom last. Looked up in public pages in November 2026; each
// figure has its source beside it. "Unconfirmed" marks what only third parties say.
func All() []Platform {
	return []Platform{
		youTube(), twitch(), facebook(), instagram(), tiktok(), linkedIn(), x(), vimeo(), kick(),
		{ID: "", Name: "Other RTMP server", Hint: "rtmp://server/app or rtmps://server/app, as its maker says."},
	}
}

// h264AAC is where most begin.
func h264AAC() Limits {
	return Limits{Video: []string{"H264"}, Audio: []string{"AAC"}, NeedsSound: true}
}

func youTube() Platform {
	return Platform{
		// support.google.com/youtube/answer/10364924: RTMPS addresses. The backup takes
		// the same key at the same time and is used when the primary fails.
		ID: "youtube", Name: "YouTube",
		URL: "rtmps://a.rtmps.youtube.com/live2", BackupURL: "rtmps://b.rtmps.youtube.com/live2?backup=1", Twins: true,
		Hint:  "YouTube Studio > Create > Go live > Stream: the stream key.",
		Grace: 60 * time.Second, // unconfirmed: no page says so; seen in the field
		// support.google.com/youtube/answer/2853702: codecs, bitrates, key frames of 2 s
		// recommended and 4 s at most, 44.1 kHz stereo.
		Limits: Limits{
			Video: []string{"H264", "H265", "AV1"}, Audio: []string{"AAC"}, NeedsSound: true,
			MaxWidth: 3840, MaxHeight: 2160, MaxFrameRate: 60, MaxKbps: 51000, MaxKeySeconds: 4,
			SampleRates: []int{44100, 48000},
			Rates: []Rate{
				{720, 30, 3000, 8000}, {720, 60, 3000, 8000}, {1080, 30, 3000, 8000}, {1080, 60, 4000, 12000},
				{1440, 30, 5000, 25000}, {1440, 60, 6000, 30000}, {2160, 30, 8000, 35000}, {2160, 60, 10000, 40000},
			},
		},
	}
}

func twitch() Platform {
	l := h264AAC()
	l.NeedsSound = false
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate = 1920, 1080, 60
	// help.twitch.tv "Broadcasting guidelines": 6000 kbit/s, key frames every 2 s, CBR.
	l.MaxKbps, l.MaxKeySeconds = 6000, 2
	// twitch.tv/creatorcamp "Broadcast recommendations": 320 kbit/s AAC at most, 44.1 or
	// 48 kHz, 48 hours.
	l.MaxAudioKbps, l.SampleRates, l.MaxLength = 320, []int{44100, 48000}, 48*time.Hour
	return Platform{
		// The name that routes to the nearest of help.twitch.tv/s/twitch-ingest-recommendation.
		ID: "twitch", Name: "Twitch", URL: "rtmps://ingest.global-contribute.live-video.net/app",
		Hint:  "Twitch > Creator Dashboard > Settings > Stream: the primary stream key.",
		Grace: 90 * time.Second, // streamersquare.com, 18 March 2019: Disconnect Protection
		// off by default, and only for encoders Twitch knows.
		Limits: l,
	}
}

func facebook() Platform {
	l := h264AAC()
	// developers.facebook.com/docs/live-video-api/reference: all of it.
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps = 1920, 1080, 60, 9000
	l.MaxKeySeconds, l.MaxAudioKbps, l.SampleRates, l.MaxLength = 4, 256, []int{44100, 48000}, 8*time.Hour
	l.Rates = []Rate{
		{360, 30, 400, 1000}, {480, 30, 600, 2000}, {720, 30, 1500, 4000}, {720, 60, 2250, 6000},
		{1080, 30, 3000, 6000}, {1080, 60, 4500, 9000},
	}
	return Platform{
		ID: "facebook", Name: "Facebook", URL: "rtmps://live-api-s.facebook.com:443/rtmp",
		Hint:   "Facebook > Live Producer > Streaming software: the stream key.",
		Grace:  4 * time.Second, // unconfirmed: no page says so; seen in the field
		Limits: l,
	}
}

func instagram() Platform {
	l := h264AAC()
	// Instagram's own announcement of Live Producer, as quoted by lowyat.net, July 2022:
	// 9:16, 720x1280, 30 fps (60 works), 2250 to 6000 kbit/s, 44.1 kHz stereo, 256 kbit/s.
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps = 1920, 1080, 60, 6000
	l.MaxAudioKbps, l.SampleRates, l.Upright = 256, []int{44100, 48000}, true
	l.MaxKeySeconds = 4 // Facebook's, whose servers these are
	l.Rates = []Rate{{720, 60, 2250, 6000}}
	l.MaxLength = 4 * time.Hour // streamkite.live, unconfirmed
	return Platform{
		ID: "instagram", Name: "Instagram", URL: "rtmps://live-upload.instagram.com:443/rtmp",
		Hint:   "instagram.com on a computer > Create > Live video: the address and a key for this show alone.",
		Limits: l,
	}
}

func tiktok() Platform {
	l := h264AAC()
	l.MaxKeySeconds, l.Upright = 4, true // unconfirmed
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps = 1920, 1080, 60, 6000
	return Platform{
		// streamersquare.com/how-to-stream-on-tiktok: server and key are made for each show.
		ID: "tiktok", Name: "TikTok",
		Hint:   "TikTok app > + > Live > Device camera > Transfer to PC/Mac, or LIVE Producer: server and key are new for each show.",
		Limits: l,
	}
}

func linkedIn() Platform {
	l := h264AAC()
	// help.syncwords.com "Send captions to LinkedIn": 720p recommended, 1080p taken, 30 fps,
	// key frame every 2 s, 3.5 Mbit/s, 128 kbit/s at 48 kHz. 6 Mbit/s at most: unconfirmed.
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps, l.MaxKeySeconds = 1920, 1080, 30, 6000, 4
	l.MaxAudioKbps, l.SampleRates, l.MaxLength = 128, []int{48000}, 4*time.Hour
	return Platform{
		ID: "linkedin", Name: "LinkedIn",
		Hint:   "LinkedIn > your event > Go live > Custom stream (RTMP): address and key, for one show, four hours at most.",
		Limits: l,
	}
}

func x() Platform {
	l := h264AAC()
	// media.twitter.com "Producer", recommended specifications: 12 Mbit/s at most, 60 fps,
	// key frames every 3 s, 128 kbit/s. Unconfirmed for Live Studio, its successor.
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps, l.MaxKeySeconds = 1920, 1080, 60, 12000, 3
	l.MaxAudioKbps, l.SampleRates = 128, []int{44100, 48000}
	return Platform{
		// help.x.com/en/using-x/live-studio: the address depends on the region of the source.
		ID: "x", Name: "X",
		Hint:   "studio.x.com/live > Sources > Create source: its RTMPS address and stream key.",
		Limits: l,
	}
}

func vimeo() Platform {
	l := h264AAC()
	// help.vimeo.com 12426939452817: 1080p at 30 fps, 5000 kbit/s the most it recommends.
	// OTT page 31722598759057: 12 hours.
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps, l.MaxLength = 1920, 1080, 60, 5000, 12*time.Hour
	l.MaxKeySeconds = 2 // Vimeo's encoder guide, unconfirmed here
	l.SampleRates = []int{44100, 48000}
	return Platform{
		ID: "vimeo", Name: "Vimeo", URL: "rtmps://rtmp-global.cloud.vimeo.com:443/live",
		Hint:   "Vimeo > your event > Connect (RTMPS): address and stream key.",
		Limits: l,
	}
}

func kick() Platform {
	l := h264AAC()
	// Kick takes streams on Amazon IVS. docs.aws.amazon.com/ivs "Streaming configuration":
	// key frames every 2 s recommended, H.264, AAC-LC 44.1 or 48 kHz, 8500 kbit/s for
	// 1080p. Kick's help page says 1000 to 8000 kbit/s: unconfirmed.
	l.MaxWidth, l.MaxHeight, l.MaxFrameRate, l.MaxKbps, l.MaxKeySeconds = 1920, 1080, 60, 8000, 2
	l.SampleRates = []int{44100, 48000}
	return Platform{
		ID: "kick", Name: "Kick",
		Hint:   "Kick > Creator Dashboard > Settings > Stream URL and key: both are yours alone.",
		Limits: l,
	}
}
