package dev.gatun.layers.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.layers.Params;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class WriterTest {

    private static final double[] SCORES = {Math.log(1), Math.log(4), Math.log(3), Math.log(2)};

    private final LanguageModel model = new LanguageModel(Params.fresh(Key.of(2), DType.F64),
            new LanguageModel.Config("attention", 31, 16, 2, 4, 2, 24, 12, true, 10_000, 0, false));

    private long[] text(Writer writer, int tokens) {
        return LongStream.range(0, tokens).map(i -> writer.write()).toArray();
    }

    @Test
    void shares_are_those_of_the_softmax() {
        // 0.1, 0.4, 0.3, 0.2, one behind the other
        assertEquals(0, Writer.draw(SCORES, 1, 0, 0.099));
        assertEquals(1, Writer.draw(SCORES, 1, 0, 0.101));
        assertEquals(1, Writer.draw(SCORES, 1, 0, 0.499));
        assertEquals(2, Writer.draw(SCORES, 1, 0, 0.501));
        assertEquals(3, Writer.draw(SCORES, 1, 0, 0.999999));
    }

    @Test
    void a_low_temperature_sharpens_and_zero_takes_the_likeliest() {
        // squares: 1, 16, 9, 4 of 30
        assertEquals(0, Writer.draw(SCORES, 0.5, 0, 0.99 / 30));
        assertEquals(1, Writer.draw(SCORES, 0.5, 0, 16.9 / 30));
        assertEquals(2, Writer.draw(SCORES, 0.5, 0, 17.1 / 30));
        assertEquals(1, Writer.draw(SCORES, 0, 0, 0.999));
    }

    @Test
    void only_the_likeliest_few_are_drawn_from() {
        // 4 and 3 of 7
        assertEquals(1, Writer.draw(SCORES, 1, 2, 0));
        assertEquals(1, Writer.draw(SCORES, 1, 2, 3.9 / 7));
        assertEquals(2, Writer.draw(SCORES, 1, 2, 0.999999));
    }

    @Test
    void the_likeliest_text_is_what_the_whole_text_scores() {
        long[] text = text(new Writer(model, Key.of(1), 0, 0).read(3, 1, 4), 12);
        long[] read = LongStream.concat(LongStream.of(3, 1, 4), Arrays.stream(text)).toArray();
        Tensor scores = model.frozen().forward(Tensor.of(Shape.of(1, read.length), read));
        assertArrayEquals(text, scores.argmax(-1).slice(1, 2, read.length - 1).toLongs());
    }

    @Test
    void the_same_key_writes_the_same_text_whatever_scopes_are_open() {
        long[] once = text(new Writer(model, Key.of(1), 1, 10).read(3), 20);
        try (Scope scope = Scope.open("outer")) {
            assertArrayEquals(once, text(new Writer(model, Key.of(1), 1, 10).read(3), 20));
        }
        assertFalse(Arrays.equals(once, text(new Writer(model, Key.of(2), 1, 10).read(3), 20)));
        assertTrue(Arrays.stream(once).distinct().count() > 3);
    }

    @Test
    void an_empty_text_has_no_continuation() {
        var e = assertThrows(IllegalStateException.class, () -> new Writer(model, Key.of(1), 1, 0).write());
        assertEquals("writer: nothing was read, so there is nothing to continue", e.getMessage());
    }

    /** A plain loop: what is brought up to speed in the background takes memory for a moment. */
    @Test
    void a_state_that_does_not_grow_takes_memory_that_does_not() {
        LanguageModel constant = new LanguageModel(Params.fresh(Key.of(2), DType.F32),
                new LanguageModel.Config("mamba,gated-deltanet,titans", 31, 16, 3, 4, 4, 24, 12, true, 10_000, 0, false));
        try (Backend.Narrowed plain = Backend.only(Backend.SCALAR, Backend.REFERENCE)) {
            Writer writer = new Writer(constant, Key.of(1), 1, 10).read(3, 1);
            text(writer, 40); // past the chunk of a memory
            long before = HostPool.shared().liveBytes();
            text(writer, 160);
            assertTrue(HostPool.shared().liveBytes() <= before, HostPool.shared().liveBytes() + " bytes after " + before);
        }
    }
}
