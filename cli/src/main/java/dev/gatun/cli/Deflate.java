package dev.gatun.cli;

import java.util.zip.Deflater;

/** The judge that every programmer has at hand: how small deflate (level 9) makes a text. */
final class Deflate {

    private Deflate() {}

    /** Bits of output for each byte of input, without the wrapping of a zip or gzip file. */
    static double bitsPerByte(byte[] text) {
        byte[] out = new byte[1 << 16];
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        try {
            deflater.setInput(text);
            deflater.finish();
            while (!deflater.finished()) {
                deflater.deflate(out);
            }
            return 8.0 * deflater.getBytesWritten() / text.length;
        } finally {
            deflater.end();
        }
    }
}
