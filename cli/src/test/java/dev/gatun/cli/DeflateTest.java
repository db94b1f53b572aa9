package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

class DeflateTest {

    @Test
    void random_bytes_need_all_their_bits_and_a_little_more() {
        byte[] noise = new byte[100_000];
        new Random(1).nextBytes(noise);

        assertEquals(8, Deflate.bitsPerByte(noise), 0.01);
    }

    @Test
    void sixteen_equally_likely_letters_cannot_take_less_than_their_entropy() {
        byte[] letters = new byte[100_000];
        Random random = new Random(1);
        for (int i = 0; i < letters.length; i++) {
            letters[i] = (byte) ('a' + random.nextInt(16));
        }

        double bits = Deflate.bitsPerByte(letters);
        assertTrue(bits > 4 && bits < 5, () -> bits + " bits");
    }

    @Test
    void a_long_repetition_is_nearly_free() {
        assertTrue(Deflate.bitsPerByte(new byte[100_000]) < 0.02);
    }
}
