#!/usr/bin/env bash
# Makes the four demo cameras' clips in this folder, with ffmpeg: 30 s of video
# (H.264 Main, no B-frames, a keyframe every second, 1280x720 at 30) and 8 s of a
# quiet tone (AAC-LC, 48 kHz stereo). Video and audio loop separately, each with its
# own length: 30 s is 900 video frames, 8 s is exactly 375 AAC frames.
set -euo pipefail
cd "$(dirname "$0")"
font=${FONT:-/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# number, caption, dark and light color, tone in Hz, path of the moving disc
make() {
	local n=$1 caption=$2 dark=$3 light=$4 tone=$5 x=$6 y=$7
	ffmpeg -v error -y \
		-f lavfi -i "gradients=s=1280x720:c0=$dark:c1=$light:x0=0:y0=720:x1=1280:y1=0:n=2:speed=0.00001:d=0.04:r=25" \
		-frames:v 1 "$tmp/bg$n.png"
	ffmpeg -v error -y -f lavfi -i "color=white:s=240x240,format=rgba" -frames:v 1 \
		-vf "geq=r=255:g=255:b=255:a='90*clip((118-hypot(X-120,Y-120))/2,0,1)*(0.35+0.65*hypot(X-120,Y-120)/118)'" "$tmp/disc$n.png"
	ffmpeg -v error -y -loop 1 -framerate 30 -i "$tmp/bg$n.png" -loop 1 -framerate 30 -i "$tmp/disc$n.png" \
		-filter_complex "[0][1]overlay=x='$x':y='$y',
drawbox=x=0:y=ih-14:w=iw:h=14:color=black@0.35:t=fill,
drawtext=fontfile=$font:text='$n':fontsize=430:fontcolor=white@0.16:x=w-text_w-60:y=(h-text_h)/2-20,
drawtext=fontfile=$font:text='CAM $n':fontsize=120:fontcolor=white:x=70:y=80:shadowcolor=black@0.4:shadowx=4:shadowy=4,
drawtext=fontfile=$font:text='$caption':fontsize=44:fontcolor=white@0.85:x=76:y=220,
drawtext=fontfile=$font:text='%{eif\:floor(mod(n\,900)/30)\:d\:2}.%{eif\:mod(n\,30)\:d\:2}':fontsize=110:fontcolor=white:x=70:y=h-200:shadowcolor=black@0.4:shadowx=4:shadowy=4,
format=yuv420p[bg];color=white:s=1280x14:r=30[bar];[bg][bar]overlay=x='-1280+1280*(mod(n,30)+1)/30':y=H-14:shortest=1" \
		-frames:v 900 -an -c:v libx264 -profile:v main -preset veryslow -crf 34 -bf 0 -refs 1 \
		-x264-params "keyint=30:min-keyint=30:scenecut=0:open-gop=0:aud=0:nal-hrd=none:mbtree=0" \
		-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv -f h264 "$tmp/v$n.h264"
	# The middle 8 s of a longer tone: the encoder has settled, so the end meets the start.
	ffmpeg -v error -y -f lavfi -i "aevalsrc=0.025*sin(2*PI*$tone*t)|0.025*sin(2*PI*$tone*t+PI/3):s=48000:d=26" \
		-c:a aac -b:a 64k -ar 48000 -ac 2 -f adts "$tmp/a$n.aac"
	python3 - "$tmp/a$n.aac" "cam$n.aac" <<'PY'
import sys
d, frames = open(sys.argv[1], 'rb').read(), []
while len(d) > 7:
    n = (d[3] & 3) << 11 | d[4] << 3 | d[5] >> 5
    frames.append(d[:n])
    d = d[n:]
open(sys.argv[2], 'wb').write(b''.join(frames[375:750]))
PY
	mv "$tmp/v$n.h264" "cam$n.h264"
}

make 1 'STAGE LEFT' 0x3a0610 0xd8344a 220 '560+430*sin(2*PI*t/15)' '240+170*cos(2*PI*t/10)' &
make 2 'STAGE RIGHT' 0x06143a 0x2f7fe0 277 '560+430*cos(2*PI*t/15)' '240+170*sin(2*PI*t/10)' &
make 3 'CLOSE UP' 0x0c3012 0x38b45c 330 '520+480*sin(2*PI*t/30)' '240+200*sin(2*PI*t/10)' &
make 4 'WIDE' 0x3a2204 0xf0a020 440 '520+480*cos(2*PI*t/10)' '240+200*sin(2*PI*t/6)' &
wait
ls -l
