/* oneDNN's C interface, and of OpenMP the two functions that say how many threads one call may use. */
#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

int omp_get_max_threads(void);
void omp_set_num_threads(int threads);
