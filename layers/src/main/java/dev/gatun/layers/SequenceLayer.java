package dev.gatun.layers;

import dev.gatun.engine.Tensor;

/**
 * A layer that mixes tokens with what came before them. Two laws hold for every one: the forms agree,
 * and cutting a sequence anywhere and carrying the state over changes nothing.
 *
 * @param <S> the state: a record of tensors, to be walked with {@link States}
 */
public interface SequenceLayer<S> {

    /** The state before any token. */
    S start(long batch);

    /** Output {@code [B, T, D]} for {@code x [B, T, D]} after this past, and the state after the last token. */
    Step<S> forward(Tensor x, S past, Form form);
}
