package dev.gatun.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.io.Json;
import dev.gatun.layers.io.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;

/** A golden case: stored tensors in a precision, and how closely they are to be met. */
public final class Goldens implements AutoCloseable {

    private final Safetensors file;
    private final DType dtype;

    public Goldens(String name, DType dtype) throws IOException {
        this.file = Safetensors.open(Path.of("src/test/resources/golden", name + ".safetensors"));
        this.dtype = dtype;
    }

    public boolean has(String name) {
        return file.specs().containsKey(name);
    }

    public Tensor get(String name) {
        Tensor stored = file.tensor(name);
        return stored.dtype().isFloat() ? stored.to(dtype) : stored;
    }

    public double number(String name) throws IOException {
        return ((Number) config().get(name)).doubleValue();
    }

    public boolean truth(String name) throws IOException {
        return Boolean.TRUE.equals(config().get(name));
    }

    private Map<?, ?> config() throws IOException {
        return (Map<?, ?>) Json.parse(file.metadata().get("config"));
    }

    /** The rule of the golden README: relative to the largest stored number, per precision. */
    public void assertMet(String name, Tensor actual) {
        double[] wanted = file.tensor(name).toDoubles();
        double[] got = actual.toDoubles();
        assertEquals(wanted.length, got.length, name);
        double largest = 0;
        double error = 0;
        for (int i = 0; i < wanted.length; i++) {
            largest = Math.max(largest, Math.abs(wanted[i]));
            error = Math.max(error, Math.abs(wanted[i] - got[i]));
            assertTrue(!Double.isNaN(got[i]), name + " has a NaN");
        }
        String kind = name.startsWith("grad.") ? "rtol_f32_grad" : "rtol_f32_out";
        double bound = dtype == DType.F64 ? Math.max(1e-9 * largest, 1e-12)
                : Math.max(Double.parseDouble(file.metadata().get(kind)) * largest, 1e-7);
        assertTrue(error <= bound, name + " in " + dtype + ": off by " + error + ", allowed is " + bound);
    }

    @Override
    public void close() {
        file.close();
    }
}
