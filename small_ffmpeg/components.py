"""What of FFmpeg is compiled: what reads strangers' sound and covers, and what writes stems.

The names are those of FFmpeg's configure script. A test holds them to what the separator uses.
"""

# Containers that are opened (consumer.core.catalog.SOURCE_FORMATS).
_CONTAINERS = "aac ac3 aiff amr ape asf au avi caf eac3 flac flv matroska mov mp3 mpegps mpegts ogg tta w64 wav wv"
# Samples in place of a header that lies.
_RAW = (
    "alaw f32be f32le f64be f64le mulaw s16be s16le s24be s24le s32be s32le s8 u16be u16le u24be u24le u32be u32le u8"
    " vidc"
)
_COVERS = "gif image_bmp_pipe image_jpeg_pipe image_png_pipe image_tiff_pipe image_webp_pipe"
DEMUXERS = (*_CONTAINERS.split(), *(f"pcm_{name}" for name in _RAW.split()), *_COVERS.split())

_PCM = (
    "alaw mulaw bluray dvd f16le f24le f32be f32le f64be f64le s8 s8_planar s16be s16be_planar s16le s16le_planar s24be"
    " s24le s24le_planar s32be s32le s32le_planar s64be s64le u8 u16be u16le u24be u24le u32be u32le vidc"
)
_ADPCM = (
    "adx ct g722 g726 g726le ima_apm ima_dk3 ima_dk4 ima_oki ima_qt ima_wav ima_ws ms sbpro_2 sbpro_3 sbpro_4 swf xa"
    " yamaha"
)
_CODECS = (
    "aac aac_fixed aac_latm ac3 ac3_fixed alac als amrnb amrwb ape aptx aptx_hd atrac1 atrac3 atrac3al atrac3p"
    " atrac3pal atrac9 cook dca dolby_e dsd_lsbf dsd_lsbf_planar dsd_msbf dsd_msbf_planar dst dvaudio eac3 flac g723_1"
    " g728 g729 gsm gsm_ms iac ilbc imc mace3 mace6 metasound mlp mp1 mp1float mp2 mp2float mp3 mp3adu mp3adufloat"
    " mp3float mp3on4 mp3on4float mpc7 mpc8 nellymoser opus qcelp qdm2 qdmc qoa ra_144 ra_288 s302m sbc shorten sipr"
    " speex tak truehd truespeech tta twinvq vorbis wavpack wmalossless wmapro wmav1 wmav2 wmavoice"
)
_PICTURES = "bmp gif mjpeg png tiff webp"
DECODERS = (
    *(f"pcm_{name}" for name in _PCM.split()),
    *(f"adpcm_{name}" for name in _ADPCM.split()),
    *_CODECS.split(),
    *_PICTURES.split(),
)
# They find where frames begin, and when each is due: of sound, of covers, and of films, which share the sound's clock.
_PARSERS = (
    "aac aac_latm ac3 adx amr cook dca dolby_e dvaudio flac ftr g723_1 g729 gsm misc4 mlp mpegaudio opus sbc sipr tak"
    " vorbis xma bmp gif mjpeg png webp h263 h264 hevc mpeg4video mpegvideo vc1 vp8 vp9"
)
PARSERS = tuple(_PARSERS.split())

_ENCODERS = "aac flac libmp3lame libopus libvorbis pcm_f32le pcm_s16le pcm_s24le png wrapped_avframe"
_MUXERS = "data ffmetadata flac framecrc image2pipe ipod mp3 null ogg opus pcm_f32le tee wav"
ENCODERS, MUXERS = tuple(_ENCODERS.split()), tuple(_MUXERS.split())
FILTERS = ("anull", "aformat", "apad", "aresample", "asetpts", "atrim", "channelmap", "null", "pan", "scale")
PROTOCOLS = ("fd", "file", "pipe", "subfile")

LIBRARIES = ("libmp3lame", "libopus", "libvorbis", "zlib")


def switches() -> list[str]:
    """Options of FFmpeg's configure script that choose all this, and nothing else."""
    off = ["everything", "autodetect", "network", "doc", "avdevice", "ffplay", "ffprobe", "debug"]
    kinds = {
        "decoder": DECODERS, "parser": PARSERS, "encoder": ENCODERS, "muxer": MUXERS, "filter": FILTERS,
        "protocol": PROTOCOLS,
    }  # fmt: skip
    chosen = [f"--enable-{kind}={name}" for kind, names in kinds.items() for name in names]
    # All are known by their looks; only those of DEMUXERS can be opened (recognition.py).
    chosen.append("--enable-demuxers")
    libraries = [f"--enable-{name}" for name in LIBRARIES]
    return [*(f"--disable-{name}" for name in off), *chosen, *libraries]
