package dev.gatun.layers.memory;

import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Step;

/**
 * What is written with a key and a value and read with a query, token by token.
 *
 * @param <S> the state: a record of tensors
 */
public interface Memory<S> {

    /**
     * Tokens split into heads.
     *
     * @param q queries {@code [B, H, T, K]}
     * @param k keys {@code [B, H, T, K]}
     * @param v values {@code [B, H, T, V]}
     * @param retain how much of the memory a token keeps, {@code [B, H, T]} in [0, 1]; null for all of it
     * @param momentum how much of the past gradients goes on, {@code [B, H, T]} in [0, 1); null where a rule has none
     * @param rate how much is written, {@code [B, H, T]}; 0 for a token that is not
     * @param gamma how much each of the last tokens counts in a token's loss, {@code [B, H, T, c]}, the youngest first; null
     *     for a window of one
     */
    record Tokens(Tensor q, Tensor k, Tensor v, Tensor retain, Tensor momentum, Tensor rate, Tensor gamma) {

        long time() {
            return q.dim(2);
        }

        Tokens slice(long from, long to) {
            return from == 0 && to == time() ? this : new Tokens(part(q, from, to), part(k, from, to), part(v, from, to),
                    part(retain, from, to), part(momentum, from, to), part(rate, from, to), part(gamma, from, to));
        }

        private static Tensor part(Tensor x, long from, long to) {
            return x == null ? null : x.slice(2, from, to);
        }
    }

    /** The state before any token. */
    S start(long batch);

    /** What the queries find, {@code [B, H, T, V]}, each after its token was written; and the state after the last. */
    Step<S> forward(Tokens tokens, S past, Form form);
}
