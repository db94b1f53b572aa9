package dev.gatun.engine.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class HostPoolTest {

    private final HostPool pool = new HostPool(64L << 20);

    @Test
    void blocks_hold_what_was_asked_for_and_waste_at_most_a_fifth() {
        for (long bytes = 1; bytes < 1L << 34; bytes = bytes * 9 / 8 + 1) {
            long size = HostPool.classBytes(HostPool.sizeClass(bytes));
            assertTrue(size >= bytes, bytes + " in " + size);
            assertEquals(0, size % HostPool.ALIGNMENT);
            assertTrue(bytes < 512 || size <= bytes * 5 / 4 + HostPool.ALIGNMENT, bytes + " in " + size);
        }
    }

    @Test
    void blocks_are_aligned() {
        for (int i = 0; i < 100; i++) {
            assertEquals(0, pool.take(64 + i * 48L).segment().address() % HostPool.ALIGNMENT);
        }
    }

    @Test
    void a_returned_block_is_handed_out_again() {
        Block block = pool.take(5000);
        pool.give(block);
        assertSame(block, pool.take(4800));
    }

    @Test
    void the_oldest_large_block_goes_back_to_the_system_when_the_limit_is_reached() {
        Block first = pool.take(20L << 20);
        Block second = pool.take(24L << 20);
        pool.give(first);
        pool.give(second);
        pool.take(30L << 20);
        assertTrue(pool.heldBytes() <= 64L << 20);
        assertSame(second, pool.take(24L << 20));
    }

    @Test
    void beyond_the_limit_is_an_error_with_the_numbers() {
        Block all = pool.take(48L << 20);
        MemoryException e = assertThrows(MemoryException.class, () -> pool.take(48L << 20));
        assertEquals("no block of 50331648 bytes: 50331648 are held, 50331648 of them in use, the limit is 67108864", e.getMessage());
        pool.give(all);
        assertSame(all, pool.take(48L << 20));
    }

    @Test
    void the_nth_block_fails_when_told_to_and_only_that_one() {
        pool.failAt(2);
        Block first = pool.take(100);
        assertEquals("injected failure of a block of 100 bytes", assertThrows(MemoryException.class, () -> pool.take(100)).getMessage());
        Block third = pool.take(100);
        assertEquals(first.segment().byteSize() + third.segment().byteSize(), pool.liveBytes());
    }

    @Test
    void poisoned_blocks_are_full_of_nan() {
        pool.poison(true);
        Block block = pool.take(640);
        assertTrue(Float.isNaN(block.segment().get(ValueLayout.JAVA_FLOAT, 636)));
    }
}
