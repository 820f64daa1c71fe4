"""ffmpeg's decoders that strangers' files may have: of sound, as the containers that are opened here carry it.

Its decoders of moving and still pictures, of subtitles and of old games are left out: most of its faults are in these.
Names that an ffmpeg doesn't have mean nothing to it.
"""

_PCM = (
    "alaw mulaw bluray dvd f16le f24le f32be f32le f64be f64le s8 s8_planar s16be s16be_planar s16le s16le_planar s24be"
    " s24le s24le_planar s32be s32le s32le_planar s64be s64le u8 u16be u16le u24be u24le u32be u32le vidc"
)
_ADPCM = "adx ct ima_apm ima_dk3 ima_dk4 ima_oki ima_qt ima_wav ima_ws ms sbpro_2 sbpro_3 sbpro_4 swf xa yamaha"
_OTHERS = (
    "aac aac_fixed aac_latm libfdk_aac ac3 ac3_fixed eac3 alac als amrnb amrwb libopencore_amrnb libopencore_amrwb ape"
    " aptx aptx_hd atrac1 atrac3 atrac3al atrac3plus atrac3plusal atrac9 cook dca dolby_e dsd_lsbf dsd_lsbf_planar"
    " dsd_msbf dsd_msbf_planar dst dvaudio flac g722 g723_1 g726 g726le g728 g729 gsm gsm_ms ilbc libilbc imc iac mace3"
    " mace6 metasound mlp mp1 mp1float mp2 mp2float mp3 mp3float mp3adu mp3adufloat mp3on4 mp3on4float mpc7 mpc8"
    " nellymoser opus libopus qcelp qdm2 qdmc qoa ra_144 ra_288 real_144 real_288 s302m sbc shorten sipr speex libspeex"
    " tak truehd truespeech tta twinvq vorbis libvorbis wavpack wmalossless wmapro wmav1 wmav2 wmavoice"
)
SOUND = tuple([f"pcm_{name}" for name in _PCM.split()] + [f"adpcm_{name}" for name in _ADPCM.split()] + _OTHERS.split())
