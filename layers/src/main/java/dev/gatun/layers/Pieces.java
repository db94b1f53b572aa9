package dev.gatun.layers;

import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;

/** How layers whose forms are one rule at three lengths go over time, and how they split tokens into heads. */
final class Pieces {

    /** Tokens in a piece of {@link Form#CHUNKWISE} unless a layer says otherwise. */
    static final long CHUNK = 64;

    /** What a layer does with the tokens {@code from} to {@code to}, all after this state. */
    @FunctionalInterface
    interface Piece<S> {
        Step<S> of(long from, long to, S past);
    }

    private Pieces() {}

    /** Outputs of all pieces, joined along an axis, and the state after the last. */
    static <S> Step<S> over(long time, long chunk, Form form, int axis, S past, Piece<S> piece) {
        long length = switch (form) {
            case PARALLEL -> Math.max(1, time);
            case CHUNKWISE -> chunk;
            case RECURRENT -> 1;
        };
        if (time <= length) {
            return piece.of(0, time, past);
        }
        List<Tensor> parts = new ArrayList<>();
        for (long t = 0; t < time; t += length) {
            Step<S> step = piece.of(t, Math.min(t + length, time), past);
            parts.add(step.y());
            past = step.state();
        }
        return new Step<>(Tensor.concat(axis, parts), past);
    }

    /** Tokens {@code [B, T, D]} through a rule, piece by piece, the state carried between. */
    static <S> Step<S> forward(Tensor x, S past, Form form, long chunk, BiFunction<Tensor, S, Step<S>> rule) {
        return over(x.dim(1), chunk, form, 1, past, (from, to, before) -> rule.apply(part(x, 1, from, to), before));
    }

    /** A chunk length, which must be positive. */
    static long chunk(String layer, long tokens) {
        if (tokens < 1) {
            throw new IllegalArgumentException(layer + ": a chunk of " + tokens + " tokens, at least 1 is needed");
        }
        return tokens;
    }

    /** {@code [B, T, H K] -> [B, H, T, K]}. */
    static Tensor split(Tensor x, long heads) {
        return x.reshape(x.dim(0), x.dim(1), heads, x.dim(2) / heads).swap(1, 2);
    }

    /** {@code [B, H, T, K] -> [B, T, H K]}. */
    static Tensor merge(Tensor x) {
        return x.swap(1, 2).reshape(x.dim(0), x.dim(2), x.dim(1) * x.dim(3));
    }

    /** Tokens {@code from} to {@code to} along an axis; all of them without a view. */
    static Tensor part(Tensor x, int axis, long from, long to) {
        return from == 0 && to == x.dim(axis) ? x : x.slice(axis, from, to);
    }
}
