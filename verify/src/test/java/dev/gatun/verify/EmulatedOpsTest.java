package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.bindings.cuda.CudaDriver;
import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.DeviceException;
import dev.gatun.engine.Key;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.cuda.Gpu;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Every op's samples on the emulated devices against the reference in double: the shipped kernels of both tiers are
 * executed instruction by instruction and checked while they run. {@code -Dgatun.cuda=emulated} brings the devices.
 */
@Tag("once")
class EmulatedOpsTest {

    private static final Key KEY = Key.of(17);

    /** cuda:0 takes the upper tier, cuda:1 the lower. */
    private static final List<Device> DEVICES = List.of(Device.cuda(0), Device.cuda(1));

    @BeforeEach
    void needs_an_emulated_device() {
        boolean emulated = CudaDriver.probe() instanceof CudaDriver.Present present && present.devices().getFirst().emulated();
        assumeTrue(emulated, "the tests were started without -Dgatun.cuda=emulated");
    }

    private interface Check {
        void of(Sample sample, Device device);
    }

    /** A test for each small sample and device; those whose op has no kernel there say which. */
    private static Stream<DynamicTest> each(Check check) {
        return Ours.CATALOGUE.entries().stream()
                .flatMap(entry -> {
                    List<Sample> small = entry.samples().stream().filter(Ours::isSmall).toList();
                    return (small.isEmpty() ? entry.samples() : small).stream();
                })
                .flatMap(sample -> DEVICES.stream().map(device -> DynamicTest.dynamicTest(sample + " on " + device, () -> {
                    try (Scope scope = Scope.open("sample", device)) {
                        check.of(sample, device);
                    } catch (DeviceException e) {
                        assumeTrue(false, e.getMessage());
                    }
                })));
    }

    private static List<Tensor> there(List<Tensor> here, Device device) {
        return here.stream().map(x -> x.to(device)).toList();
    }

    private static void agrees(Sample sample, Device device, DType dtype) {
        Parity parity;
        List<Tensor> inputs;
        try (Scope.Stay _ = Scope.at(Device.cpu())) {
            inputs = Samples.tensors(sample, dtype, KEY);
            parity = Parity.of(sample.op(), inputs, sample.slack());
        }
        parity.compare(device.toString(), sample.op().applyAll(there(inputs, device).toArray(Tensor[]::new))).assertOk();
    }

    @TestFactory
    Stream<DynamicTest> every_op_agrees_with_the_reference_in_f32() {
        return each((sample, device) -> agrees(sample, device, DType.F32));
    }

    @TestFactory
    Stream<DynamicTest> every_op_agrees_with_the_reference_in_f64() {
        return each((sample, device) -> agrees(sample, device, DType.F64));
    }

    @TestFactory
    Stream<DynamicTest> gradients_are_those_of_the_cpu() {
        return each((sample, device) -> {
            List<double[]> here = slopes(sample, Device.cpu());
            List<double[]> there = slopes(sample, device);
            for (int i = 0; i < here.size(); i++) {
                double difference = 0;
                double size = 0;
                for (int j = 0; j < here.get(i).length; j++) {
                    double a = here.get(i)[j];
                    double b = there.get(i)[j];
                    if (Double.compare(a, b) != 0) {
                        difference += (a - b) * (a - b);
                    }
                    size += a * a;
                }
                // several ops, each with its own rounding; as the self-test of a real device has it
                double error = Math.sqrt(difference) / Math.max(Math.sqrt(size), 1e-6);
                assertTrue(difference == 0 || error <= 1e-4, "the gradient of input " + i + " is off by " + error);
            }
        });
    }

    private static List<double[]> slopes(Sample sample, Device on) {
        try (Scope.Stay _ = Scope.at(on)) {
            List<Tensor> leaves = new ArrayList<>();
            List<Tensor> inputs = new ArrayList<>();
            for (Tensor x : Samples.tensors(sample, DType.F32, KEY)) {
                Tensor leaf = x.dtype().isFloat() ? x.to(on).track() : x.to(on);
                inputs.add(leaf);
                if (leaf.tracked()) {
                    leaves.add(leaf);
                }
            }
            List<Tensor> ys = new ArrayList<>();
            List<Tensor> gs = new ArrayList<>();
            for (Tensor y : sample.op().applyAll(inputs.toArray(Tensor[]::new))) {
                if (y.tracked()) {
                    ys.add(y);
                    double[] weights = Samples.uniform(KEY.child(ys.size()), Math.toIntExact(y.shape().elements()), -1, 1);
                    gs.add(Tensor.of(y.dtype(), y.shape(), weights).to(on));
                }
            }
            return ys.isEmpty() || leaves.isEmpty() ? List.of() : grad(ys, gs, leaves).stream().map(Tensor::toDoubles).toList();
        }
    }

    @Test
    void the_devices_say_that_they_are_emulated() {
        assertEquals("sm_80 (emulated)", Gpu.of(DEVICES.get(0)).info().name());
        assertEquals("sm_70 (emulated)", Gpu.of(DEVICES.get(1)).info().name());
        assertEquals(List.of(80, 70), DEVICES.stream().map(device -> Gpu.of(device).tier()).toList());
        assertEquals(Optional.of("there is no device 2 among 2"), Gpu.missing(2));
    }

    @Test
    void tensors_of_two_devices_do_not_meet() {
        Tensor a = Tensor.of(DType.F32, 1).to(DEVICES.get(0));
        Tensor b = Tensor.of(DType.F32, 2).to(DEVICES.get(1));
        assertThrows(DeviceException.class, () -> a.add(b));
        assertEquals(3, a.add(b.to(Device.cpu()).to(DEVICES.get(0))).item());
    }
}
