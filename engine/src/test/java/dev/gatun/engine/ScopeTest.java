package dev.gatun.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.memory.HostPool;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ScopeTest {

    @Test
    void a_tensor_used_after_its_scope_names_op_tensor_and_scope() {
        Tensor gone;
        Tensor here = Tensor.of(DType.F32, 1, 2);
        try (Scope step = Scope.open("step")) {
            gone = here.exp();
        }
        assertEquals("""
                add: b belongs to scope "step", which is closed
                  a: f32[2] cpu
                  b: f32[2] cpu""", assertThrows(ScopeException.class, () -> here.add(gone)).getMessage());
        assertEquals("""
                item: x belongs to scope "step", which is closed
                  x: f32[] cpu""", assertThrows(ScopeException.class, () -> closedNumber().item()).getMessage());
        assertEquals("f32[2] cpu", gone.toString());
    }

    private static Tensor closedNumber() {
        try (Scope step = Scope.open("step")) {
            return Tensor.of(DType.F32, 1, 2).sum();
        }
    }

    @Test
    void a_view_ends_with_the_scope_of_its_numbers() {
        Tensor view;
        try (Scope step = Scope.open("step")) {
            view = Tensor.of(DType.F32, 1, 2, 3).slice(0, 1, 3);
        }
        assertThrows(ScopeException.class, view::toDoubles);
    }

    @Test
    void a_kept_tensor_moves_to_the_enclosing_scope() {
        try (Scope outer = Scope.open("outer")) {
            Tensor kept;
            try (Scope inner = Scope.open("inner")) {
                kept = inner.keep(Tensor.of(DType.F32, 1, 2));
            }
            assertEquals(2, kept.get(1));
            assertTrue(outer.owns(kept));
        }
    }

    @Test
    void a_tensor_kept_from_the_outermost_scope_stays() {
        Tensor kept;
        try (Scope only = Scope.open("only")) {
            kept = only.keep(Tensor.of(DType.F32, 1, 2));
        }
        assertEquals(2, kept.get(1));
    }

    @Test
    void blocks_return_when_the_scope_closes_and_not_twice() {
        long before;
        try (Scope warm = Scope.open("warm")) {
            before = HostPool.shared().liveBytes();
        }
        try (Scope step = Scope.open("step")) {
            Tensor t = Tensor.zeros(DType.F32, Shape.of(1000));
            step.release(t);
            Tensor.zeros(DType.F32, Shape.of(1000));
        }
        assertEquals(before, HostPool.shared().liveBytes());
    }

    @Test
    void scopes_close_in_order_or_say_so() {
        Scope outer = Scope.open("outer");
        Scope inner = Scope.open("inner");
        assertEquals("scope \"outer\" is closed while \"inner\" inside it is open",
                assertThrows(ScopeException.class, outer::close).getMessage());
        inner.close();
        outer.close();
        outer.close();
    }

    @Test
    void a_scope_is_closed_by_the_thread_that_opened_it() {
        try (Scope mine = Scope.open("mine")) {
            Throwable e = CompletableFuture.supplyAsync(() -> assertThrows(ScopeException.class, mine::close)).join();
            assertEquals("scope \"mine\" is closed by a thread that did not open it", e.getMessage());
        }
    }

    @Test
    void a_watcher_sees_ops_of_inner_scopes_too() {
        StringBuilder seen = new StringBuilder();
        try (Scope outer = Scope.open("outer", (op, in, out) -> seen.append(op.name()).append(' '));
                Scope inner = Scope.open("inner")) {
            Tensor.of(DType.F32, 1).exp().add(1);
        }
        assertEquals("exp add ", seen.toString());
    }
}
