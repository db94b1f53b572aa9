package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JudgeTest {

    private static final int CONTEXT = 16;

    private static final LanguageModel MODEL = new LanguageModel(
            Params.fresh(Key.of(1), DType.F32),
            new LanguageModel.Config("attention", 256, 16, 1, 2, 1, 32, CONTEXT, true, 10_000, 0, false));

    /** Every byte costs what the scores give it after at least half a window, asked for one at a time. */
    @ParameterizedTest
    @ValueSource(ints = {17, 25, 33, 60})
    void every_byte_counts_once(int bytes) {
        byte[] text = new byte[bytes];
        new Random(bytes).nextBytes(text);
        Judge judge = new Judge(new Text(List.of(new Text.Part("text", bytes, () -> text))), CONTEXT, bytes);

        double bits = 8;
        for (int at = 1; at < judge.text().length; at++) {
            // The window that the byte counts in starts at the last multiple of half a window that leaves half before it.
            int start = at <= CONTEXT ? 0 : (at - CONTEXT + CONTEXT / 2 - 1) / (CONTEXT / 2) * (CONTEXT / 2);
            bits += bits(text, start, at);
        }

        assertEquals(bits / judge.text().length, judge.bitsPerByte(MODEL.frozen()), 1e-4);
    }

    private static double bits(byte[] text, int start, int at) {
        long[] ids = new long[at - start];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = text[start + i] & 0xFF;
        }
        double[] scores = MODEL.frozen()
                .forward(Tensor.of(Shape.of(1, ids.length), ids))
                .slice(1, ids.length - 1, ids.length)
                .toDoubles();
        double sum = 0;
        for (double score : scores) {
            sum += Math.exp(score);
        }
        return (Math.log(sum) - scores[text[at] & 0xFF]) / Math.log(2);
    }
}
