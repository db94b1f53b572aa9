package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BooleanSupplier;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What is forgotten comes back, and a forgotten scope is reported. */
@Tag("once")
class LeaksTest {

    private static final int COLLECTIONS = 200;

    /** Collects garbage until something holds, or gives up. */
    private static boolean eventually(BooleanSupplier holds) {
        for (int i = 0; i < COLLECTIONS && !holds.getAsBoolean(); i++) {
            System.gc();
            Thread.onSpinWait();
        }
        return holds.getAsBoolean();
    }

    @Test
    void a_scope_that_a_thread_left_open_is_reported_and_its_memory_comes_back() throws InterruptedException {
        List<String> reports = new CopyOnWriteArrayList<>();
        Logger logger = Logger.getLogger(Scope.class.getName());
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord record) {
                reports.add(record.getMessage());
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        logger.addHandler(handler);
        logger.setUseParentHandlers(false);
        try {
            long before = HostPool.shared().liveBytes();
            Thread careless = new Thread(() -> {
                Scope.open("forgotten");
                Tensor.zeros(DType.F32, Shape.of(1 << 20));
            });
            careless.start();
            careless.join();
            String expected = "scope \"forgotten\" was never closed: its thread ended with 4194304 bytes in it, now returned";
            assertTrue(eventually(() -> reports.contains(expected)), () -> "reported were " + reports);
            assertTrue(eventually(() -> HostPool.shared().liveBytes() <= before), "its memory did not come back");
        } finally {
            logger.removeHandler(handler);
            logger.setUseParentHandlers(true);
        }
    }

    @Test
    void tensors_outside_of_scopes_come_back_when_nobody_holds_them() {
        long before = HostPool.shared().liveBytes();
        Tensor held = Tensor.zeros(DType.F32, Shape.of(1 << 20));
        for (int i = 0; i < 5; i++) {
            Tensor.zeros(DType.F32, Shape.of(1 << 20));
        }
        assertTrue(eventually(() -> HostPool.shared().liveBytes() <= before + held.spec().bytes()), "five tensors are still live");
        assertTrue(HostPool.shared().liveBytes() >= held.spec().bytes() && held.get(0) == 0);
    }
}
