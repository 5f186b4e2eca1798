package platform

import "time"

// All is the table, custom last. Looked up in public pages on 22 November 2026; each
// figure has its source beside it, with its date where it has one. "OBS" is
// plugins/rtmp-services/data/services.json of obsproject/obs-studio, which platforms keep
// up to date themselves. "Unconfirmed" marks what only third parties state, and what no
// page was found to state.
func All() []Platform {
	return []Platform{
		youTube(), twitch(), facebook(), instagram(), tiktok(), linkedIn(), x(), vimeo(), kick(),
		{ID: "", Name: "Other RTMP server", Hint: "rtmp://server/app or rtmps://server/app, as given by the provider."},
	}
}

// fullHD is what nearly all accept: 1920x1080 as H.264 with AAC, up to a frame rate and a
// bitrate, with a keyframe at least every keySeconds.
func fullHD(fps float64, kbps int, keySeconds float64) Limits {
	return Limits{
		Video: []string{"H264"}, Audio: []string{"AAC"}, NeedsAudio: true,
		MaxWidth: 1920, MaxHeight: 1080, MaxFrameRate: fps, MaxKbps: kbps, MaxKeyframeSeconds: keySeconds,
	}
}

// audio adds what is stated about it; 0 kbit/s is nothing.
func (l Limits) audio(kbps int, hz ...int) Limits {
	l.MaxAudioKbps, l.SampleRates = kbps, hz
	return l
}

// atMost adds how long a show may be.
func (l Limits) atMost(hours int) Limits {
	l.MaxLength = time.Duration(hours) * time.Hour
	return l
}

func youTube() Platform {
	return Platform{
		// support.google.com/youtube/answer/10364924: RTMPS addresses, the same in OBS. The
		// backup takes the same key at the same time and is used when the primary fails.
		ID: "youtube", Name: "YouTube",
		URL: "rtmps://a.rtmps.youtube.com/live2", BackupURL: "rtmps://b.rtmps.youtube.com/live2?backup=1", SendToBoth: true,
		Hint: "YouTube Studio > Create > Go live > Stream: the stream key.",
		// developers.google.com/youtube/v3/live/docs/liveBroadcasts, enableAutoStop: about one
		// minute after the video stopped, where "Enable Auto-stop" is on; else not at all.
		Grace: 60 * time.Second,
		// support.google.com/youtube/answer/2853702: codecs, bitrates, keyframes every 2 s
		// recommended and 4 s at most, 44.1 kHz stereo. OBS: 51000 kbit/s at most.
		Limits: Limits{
			Video: []string{"H264", "H265", "AV1"}, Audio: []string{"AAC"}, NeedsAudio: true,
			MaxWidth: 3840, MaxHeight: 2160, MaxFrameRate: 60, MaxKbps: 51000, MaxKeyframeSeconds: 4,
			SampleRates: []int{44100, 48000},
			Rates: []Rate{
				{720, 30, 3000, 8000}, {720, 60, 3000, 8000}, {1080, 30, 3000, 8000}, {1080, 60, 4000, 12000},
				{1440, 30, 5000, 25000}, {1440, 60, 6000, 30000}, {2160, 30, 8000, 35000}, {2160, 60, 10000, 40000},
			},
		},
	}
}

func twitch() Platform {
	// help.twitch.tv "Broadcasting guidelines": 6000 kbit/s, keyframes every 2 s, CBR; the
	// same in OBS. twitch.tv/creatorcamp "Broadcast recommendations": 320 kbit/s AAC at
	// most, 44.1 or 48 kHz, 48 hours.
	l := fullHD(60, 6000, 2).audio(320, 44100, 48000).atMost(48)
	l.NeedsAudio = false
	return Platform{
		// The name that routes to the nearest of help.twitch.tv/s/twitch-ingest-recommendation.
		ID: "twitch", Name: "Twitch", URL: "rtmps://ingest.global-contribute.live-video.net/app",
		Hint: "Twitch > Creator Dashboard > Settings > Stream: the primary stream key.",
		// Disconnect Protection, off by default and only for encoders Twitch knows:
		// streamersquare.com, 18 March 2019, and others. Twitch's own page was not found.
		Grace:  90 * time.Second,
		Limits: l,
	}
}

func facebook() Platform {
	// developers.facebook.com/documentation/live-video-api/reference, 2026: all of it. Its
	// backup (backup_stream, 21 May 2024) has an address of its own for each show.
	l := fullHD(60, 9000, 4).audio(256, 44100, 48000).atMost(8)
	l.Rates = []Rate{
		{360, 30, 400, 1000}, {480, 30, 600, 2000}, {720, 30, 1500, 4000}, {720, 60, 2250, 6000},
		{1080, 30, 3000, 6000}, {1080, 60, 4500, 9000},
	}
	return Platform{
		// What Live Producer shows; OBS has rtmp-api.facebook.com, an older name.
		ID: "facebook", Name: "Facebook", URL: "rtmps://live-api-s.facebook.com:443/rtmp",
		Hint: "Facebook > Live Producer > Streaming software: the stream key.",
		// Unconfirmed: no page says so; seen in the field. Of Workplace, which used the same
		// servers, Facebook stated 2 to 3 minutes (workplace.com/help, article 507681799627677).
		// The shorter one is used: hurrying costs a moment, being late costs the show.
		Grace:  4 * time.Second,
		Limits: l,
	}
}

func instagram() Platform {
	// about.instagram.com/blog/tips-and-tricks/instagram-live-producer, 2 November 2022:
	// 9:16 recommended, 720x1280, 30 fps (60 works), 2250 to 6000 kbit/s; its audio as
	// quoted by lowyat.net, July 2022: 44.1 kHz stereo, 256 kbit/s. The announcement of 27
	// October 2020, as quoted by TechCrunch: 4 hours. Keyframes as for Facebook, whose
	// servers these are. How long it waits: nothing was found.
	l := fullHD(60, 6000, 4).audio(256, 44100, 48000).atMost(4)
	l.Portrait, l.Rates = true, []Rate{{720, 60, 2250, 6000}}
	return Platform{
		ID: "instagram", Name: "Instagram", URL: "rtmps://live-upload.instagram.com:443/rtmp",
		Hint:   "instagram.com on a computer > Create > Live video: the address and a key for this show alone.",
		Limits: l,
	}
}

func tiktok() Platform {
	// Unconfirmed, all of it; how long it waits, too. Its app's own help recommends 1.8
	// Mbit/s (kagua.biz, 16 July 2021) and names no limit.
	l := fullHD(60, 6000, 4)
	l.Portrait = true
	return Platform{
		// streamersquare.com/how-to-stream-on-tiktok: server and key are made for each show.
		ID: "tiktok", Name: "TikTok", Limits: l,
		Hint: "TikTok app > + > Live > Device camera > Transfer to PC/Mac, or LIVE Producer: server and key are new for each show.",
	}
}

func linkedIn() Platform {
	return Platform{
		ID: "linkedin", Name: "LinkedIn",
		Hint: "LinkedIn > your event > Go live > Custom stream (RTMP): address and key, for one show, four hours at most.",
		// help.syncwords.com "Send captions to LinkedIn": 720p recommended, 1080p accepted, 30 fps,
		// keyframe every 2 s, 3.5 Mbit/s, 128 kbit/s at 48 kHz. 6 Mbit/s at most: unconfirmed.
		Limits: fullHD(30, 6000, 4).audio(128, 48000).atMost(4),
	}
}

func x() Platform {
	return Platform{
		// help.x.com/en/using-x/live-studio: the address depends on the region of the source.
		ID: "x", Name: "X",
		Hint: "studio.x.com/live > Sources > Create source: its RTMPS address and stream key.",
		// media.twitter.com "Producer", recommended specifications: 12 Mbit/s at most, 60 fps,
		// keyframes every 3 s, 128 kbit/s; the same in OBS. Unconfirmed for Live Studio, its
		// successor.
		Limits: fullHD(60, 12000, 3).audio(128, 44100, 48000),
	}
}

func vimeo() Platform {
	return Platform{
		ID: "vimeo", Name: "Vimeo", URL: "rtmps://rtmp-global.cloud.vimeo.com:443/live",
		Hint: "Vimeo > your event > Connect (RTMPS): address and stream key.",
		// help.vimeo.com 12426939452817: 1080p at 30 fps, 5000 kbit/s the most it recommends.
		// OTT page 31722598759057: 12 hours, without the paid "Extended Stream". Keyframes
		// every 2 s: unconfirmed.
		Limits: fullHD(60, 5000, 2).audio(0, 44100, 48000).atMost(12),
	}
}

func kick() Platform {
	return Platform{
		ID: "kick", Name: "Kick",
		Hint: "Kick > Creator Dashboard > Settings > Stream URL and key: both are yours alone. The address ends in /app: add it if it is missing.",
		// Kick takes streams on Amazon IVS, at an address that differs from account to account
		// (github.com/Soulhackzlol/InstantClone issue 45): rtmps, a host under live-video.net,
		// the path /app. docs.aws.amazon.com/ivs "Streaming configuration": keyframes every
		// 2 s recommended, H.264, AAC-LC 44.1 or 48 kHz, 8500 kbit/s for 1080p. 8000 kbit/s at
		// most is what others state about Kick: unconfirmed.
		Limits: fullHD(60, 8000, 2).audio(0, 44100, 48000),
	}
}
