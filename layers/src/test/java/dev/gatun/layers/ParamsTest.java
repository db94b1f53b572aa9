package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.io.Safetensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParamsTest {

    @TempDir
    Path folder;

    private static Params fresh() {
        return Params.fresh(Key.of(7), DType.F32);
    }

    @Test
    void a_parameter_is_named_by_its_path() {
        Params params = fresh();
        new Linear(params.at("layers").at(3).at("query"), 4, 2, true);
        assertEquals(List.of("layers.3.query.weight", "layers.3.query.bias"), params.names());
        assertEquals(Shape.of(2, 4), params.values().getFirst().shape());
    }

    @Test
    void a_fresh_value_depends_on_its_name_and_not_on_its_neighbours() {
        Params alone = fresh();
        new Linear(alone.at("b"), 4, 2);
        Params after = fresh();
        new Linear(after.at("a"), 4, 2);
        new Linear(after.at("b"), 4, 2);
        assertArrayEquals(alone.entries().get("b.weight").toFloats(), after.entries().get("b.weight").toFloats());
        assertFalse(Arrays.equals(after.entries().get("a.weight").toFloats(), after.entries().get("b.weight").toFloats()));
    }

    @Test
    void a_weight_is_uniform_within_the_root_of_its_inputs() {
        Tensor w = fresh().weight("w", 64, 100);
        double[] values = w.toDoubles();
        double mean = 0;
        double square = 0;
        for (double value : values) {
            assertTrue(Math.abs(value) <= 0.125);
            mean += value / values.length;
            square += value * value / values.length;
        }
        // 6400 draws of variance 1/192: four standard errors
        assertEquals(0, mean, 4 * Math.sqrt(1.0 / 192 / 6400));
        assertEquals(1.0 / 192, square, 0.05 / 192);
    }

    @Test
    void rules_say_how_the_weights_of_a_part_are_drawn() {
        Params params = fresh().drawing(Init.ones()).drawing("out", Init.constant(2));
        assertEquals(1, params.at("in").weight("weight", 1, 1).item());
        assertEquals(2, params.at("blocks").at("out").weight("weight", 1, 1).item());
    }

    @Test
    void values_outlive_the_scope_they_were_made_in() {
        Params params = fresh();
        try (Scope scope = Scope.open("making")) {
            new Linear(params.at("head"), 3, 2);
        }
        assertEquals(6, params.values().getFirst().toFloats().length);
    }

    @Test
    void an_update_overwrites_the_numbers_the_layer_holds() {
        Params params = fresh();
        Linear layer = new Linear(params.at("head"), 3, 2);
        Tensor x = Tensor.ones(DType.F32, Shape.of(1, 3));
        float before = layer.forward(x).toFloats()[0];
        try (Scope scope = Scope.open("step")) {
            List<Tensor> slopes = grad(layer.forward(x).sum(), params.values());
            params.update(slopes, (w, g) -> w.sub(g.mul(0.5)));
        }
        assertEquals(before - 1.5f, layer.forward(x).toFloats()[0], 1e-6f);
    }

    @Test
    void frozen_parameters_are_not_tracked_and_not_updated() {
        Params params = fresh().freeze("embed");
        Tensor frozen = params.at("embed").weight("weight", 2, 2);
        Tensor free = params.at("head").weight("weight", 2, 2);
        assertFalse(frozen.tracked());
        assertTrue(free.tracked());
        assertEquals(List.of("head.weight"), params.names());
        assertEquals(List.of("embed.weight", "head.weight"), List.copyOf(params.entries().keySet()));
        var e = assertThrows(IllegalStateException.class, () -> params.freeze("head"));
        assertEquals("params: \"head.weight\" is made already; freeze \"head\" before the layer", e.getMessage());
    }

    @Test
    void a_name_is_given_once() {
        Params params = fresh();
        new Linear(params.at("head"), 3, 2);
        var e = assertThrows(IllegalArgumentException.class, () -> new Linear(params.at("head"), 3, 2));
        assertEquals("params: \"head.weight\" is made twice", e.getMessage());
    }

    @Test
    void what_was_saved_is_read_by_the_lines_that_made_it() throws Exception {
        Path file = folder.resolve("model.safetensors");
        Params params = fresh();
        new Linear(params.at("head"), 3, 2, true);
        params.save(file, Map.of("made", "here"));
        Params read = Params.read(file);
        new Linear(read.at("head"), 3, 2, true);
        read.check();
        assertEquals(params.names(), read.names());
        assertArrayEquals(params.values().getFirst().toFloats(), read.values().getFirst().toFloats());
        assertTrue(read.values().getFirst().tracked());
    }

    @Test
    void a_checkpoint_of_another_model_is_one_error_that_lists_everything() throws Exception {
        Path file = folder.resolve("model.safetensors");
        Map<String, Tensor> stored = new LinkedHashMap<>();
        stored.put("head.weight", Tensor.zeros(DType.F32, Shape.of(2, 4)));
        stored.put("tail.weight", Tensor.zeros(DType.F32, Shape.of(5)));
        stored.put("ids", Tensor.zeros(DType.I64, Shape.of(1)));
        Safetensors.write(file, stored);
        Params params = Params.read(file);
        new Linear(params.at("head"), 3, 2, true);
        params.make("ids", Shape.of(1), Init.zeros());
        var e = assertThrows(MismatchException.class, params::values);
        assertEquals(file + " " + """
                does not fit the model: 1 missing, 1 extra, 2 different
                  missing: head.bias f32[2]
                  extra: tail.weight f32[5]
                  different: head.weight is f32[2, 4], wanted is f32[2, 3]
                  different: ids is i64[1], wanted is f32[1]""", e.getMessage());
    }

    @Test
    void sixteen_bit_parameters_are_widened() throws Exception {
        Path file = folder.resolve("model.safetensors");
        Safetensors.write(file, Map.of("w", Tensor.of(DType.F32, 1.5, -2).to(DType.BF16)));
        Tensor w = Params.read(file).make("w", Shape.of(2), Init.zeros());
        assertEquals(DType.F32, w.dtype());
        assertArrayEquals(new float[] {1.5f, -2}, w.toFloats());
    }
}
