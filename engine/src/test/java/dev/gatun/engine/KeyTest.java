package dev.gatun.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class KeyTest {

    /** Known answers of Threefry-2x32 with 20 rounds, published with Random123 (kat_vectors). */
    @Test
    void bits_are_those_of_the_published_vectors() {
        assertEquals(word(0x6b200159, 0x99ba4efe), Key.bits(word(0, 0), word(0, 0)));
        assertEquals(word(0x1cb996fc, 0xbb002be7), Key.bits(word(-1, -1), word(-1, -1)));
        assertEquals(word(0xc4923a9c, 0x483df7a0), Key.bits(word(0x13198a2e, 0x03707344), word(0x243f6a88, 0x85a308d3)));
    }

    private static long word(int low, int high) {
        return low & 0xFFFFFFFFL | (long) high << 32;
    }

    @Test
    void children_differ_by_name_by_number_and_from_each_other() {
        Key key = Key.of(7);
        Set<Key> seen = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            seen.add(key.child(i));
            seen.add(key.child("x" + i));
            seen.add(key.child("x").child(i));
        }
        assertEquals(3000, seen.size());
    }

    @Test
    void a_name_is_not_its_beginning_padded() {
        assertNotEquals(Key.of(1).child("a"), Key.of(1).child("a\0"));
    }
}
