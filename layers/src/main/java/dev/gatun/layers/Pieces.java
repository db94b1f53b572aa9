package dev.gatun.layers;

import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;

/** The three forms of a layer as one rule at three lengths: all tokens, a piece at a time, one at a time. */
final class Pieces {

    private Pieces() {}

    /** Tokens {@code [B, T, D]} through a rule in pieces as long as the form has them, the state carried between. */
    static <S> Step<S> forward(Tensor x, S past, Form form, long chunk, BiFunction<Tensor, S, Step<S>> rule) {
        long time = x.dim(1);
        long length = switch (form) {
            case PARALLEL -> time;
            case CHUNKWISE -> chunk;
            case RECURRENT -> 1;
        };
        if (time <= length) {
            return rule.apply(x, past);
        }
        List<Tensor> ys = new ArrayList<>();
        S state = past;
        for (long t = 0; t < time; t += length) {
            Step<S> step = rule.apply(x.slice(1, t, Math.min(t + length, time)), state);
            ys.add(step.y());
            state = step.state();
        }
        return new Step<>(Tensor.concat(1, ys), state);
    }

    /** A chunk length, which must be positive. */
    static long chunk(String layer, long tokens) {
        if (tokens < 1) {
            throw new IllegalArgumentException(layer + ": a chunk of " + tokens + " tokens, at least 1 is needed");
        }
        return tokens;
    }
}
