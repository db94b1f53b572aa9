package dev.gatun.layers.model;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Params;
import dev.gatun.layers.SequenceLayer;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every layer says of tokens and states that are not its own: its name, the argument, and both values. */
class BadInputTest {

    /** Layers without gates that tokens choose. */
    private static final Set<String> UNGATED = Set.of("attention", "linear-attention", "retention");

    static List<String> layers() {
        return LanguageModel.layers();
    }

    static List<String> gated() {
        return layers().stream().filter(name -> !UNGATED.contains(name)).toList();
    }

    private static SequenceLayer<?> layer(String name) {
        return LanguageModel.layer(Params.fresh(Key.of(7), DType.F64), new LanguageModel.Config(name, 11, 8, 1, 2, 2, 16, 16, true, 10_000, 0, false));
    }

    private static <S> String refusal(Class<? extends Exception> type, SequenceLayer<S> layer, Tensor x, long batch, Form form) {
        return assertThrows(type, () -> layer.forward(x, layer.start(batch), form)).getMessage();
    }

    /** The argument's name is of the layer or of the attention or memory in it, not of an op that it calls. */
    private static void isOfALayer(String message) {
        assertTrue(!Set.of("matmul", "reshape", "linear", "add", "concat", "causalConv").contains(message.split(":")[0]), message);
    }

    @ParameterizedTest
    @MethodSource("layers")
    void tokens_of_another_width_are_refused(String name) {
        try (Scope scope = Scope.open("bad")) {
            String message = refusal(ShapeException.class, layer(name), Tensor.zeros(DType.F64, Shape.of(2, 3, 9)), 2, Form.PARALLEL);
            isOfALayer(message);
            assertTrue(message.contains("x") && message.contains("9") && message.contains("8"), message);
        }
    }

    @ParameterizedTest
    @MethodSource("layers")
    void a_state_of_another_batch_is_refused(String name) {
        try (Scope scope = Scope.open("bad")) {
            String message = refusal(ShapeException.class, layer(name), Tensor.zeros(DType.F64, Shape.of(2, 3, 8)), 3, Form.CHUNKWISE);
            isOfALayer(message);
            assertTrue(message.contains("state") && message.contains("3") && message.contains("2"), message);
        }
    }

    @ParameterizedTest
    @MethodSource("gated")
    void a_gate_that_is_not_finite_is_refused(String name) {
        try (Scope scope = Scope.open("bad")) {
            Tensor x = Tensor.full(DType.F64, Shape.of(1, 2, 8), Double.NaN);
            String message = refusal(IllegalArgumentException.class, layer(name), x, 1, Form.RECURRENT);
            isOfALayer(message);
            assertTrue(message.contains("gate") && message.contains("NaN") && message.contains("finite"), message);
        }
    }
}
