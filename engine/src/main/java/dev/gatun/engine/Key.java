package dev.gatun.engine;

import java.nio.charset.StandardCharsets;

/**
 * The name of a stream of random numbers: 64 bits. Keys make keys by name, so a stream depends on
 * the path of names alone and not on what else was drawn before.
 */
public record Key(long bits) {

    /** The key of a seed. */
    public static Key of(long seed) {
        return new Key(bits(seed, 0x9E3779B97F4A7C15L));
    }

    /** The key of a named part. */
    public Key child(String name) {
        byte[] text = name.getBytes(StandardCharsets.UTF_8);
        long hash = bits(bits, text.length);
        for (int at = 0; at < text.length; at += Long.BYTES) {
            long word = 0;
            for (int i = at; i < Math.min(at + Long.BYTES, text.length); i++) {
                word = word << 8 | text[i] & 0xFF;
            }
            hash = bits(hash, word);
        }
        return new Key(hash);
    }

    /** The key of a numbered part. It differs from every named one. */
    public Key child(long index) {
        return new Key(bits(~bits, index));
    }

    /** The random word of a counter value: Threefry-2x32 with 20 rounds under this key. */
    public long word(long counter) {
        return bits(bits, counter);
    }

    /**
     * Threefry-2x32-20 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the
     * 64-bit counter enciphered under the 64-bit key, low halves in the low word.
     */
    public static long bits(long key, long counter) {
        int k0 = (int) key;
        int k1 = (int) (key >>> 32);
        int k2 = 0x1BD11BDA ^ k0 ^ k1;
        int x0 = (int) counter + k0;
        int x1 = (int) (counter >>> 32) + k1;

        x0 += x1; x1 = Integer.rotateLeft(x1, 13) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 15) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 26) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 6) ^ x0;
        x0 += k1; x1 += k2 + 1;
        x0 += x1; x1 = Integer.rotateLeft(x1, 17) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 29) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 16) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 24) ^ x0;
        x0 += k2; x1 += k0 + 2;
        x0 += x1; x1 = Integer.rotateLeft(x1, 13) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 15) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 26) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 6) ^ x0;
        x0 += k0; x1 += k1 + 3;
        x0 += x1; x1 = Integer.rotateLeft(x1, 17) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 29) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 16) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 24) ^ x0;
        x0 += k1; x1 += k2 + 4;
        x0 += x1; x1 = Integer.rotateLeft(x1, 13) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 15) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 26) ^ x0;
        x0 += x1; x1 = Integer.rotateLeft(x1, 6) ^ x0;
        x0 += k2; x1 += k0 + 5;
        return (x0 & 0xFFFFFFFFL) | ((long) x1 << 32);
    }
}
