// What pairs of documents are compared by, and how much each target counts in the loss of its pair.
//
// pairs, fp64: form (0 logistic, 1 squared, 2 hinge), beta, a, b, share, 3 unused; then for each document of the round its scale, its
//   offset, and the sum of the log-probabilities of its targets. Documents 2 p and 2 p + 1 are pair p, the preferred one first.
//
// preference_sums: targets [rows] int32, -1 where not counted; sequences [rows] int32, the number of each row's document, those of a
//   document one after the other; statistics: three fp32 arrays of rows, `stride` elements apart: largest logit, sum of
//   exp(logit - largest), the target's logit. The sum of each document += sum over its counted rows here of
//   target's logit - largest - log(sum), in fp64: each lane every 32nd row from the document's first on, then over lanes in a fixed order.
//   A warp to 32 rows, for the documents that begin in them. grid ceil(rows / 128); block 128.
//
// preference_weights: weights [rows] fp32, overwritten: with z = scale sum + offset of the preferred document less that of the other and
//   f' = beta (b s(beta z) - a s(-beta z)), 2 (z - 1 / (2 beta)), or -beta where beta z < 1, else 0:
//   share - f' scale in the preferred document, f' scale in the other, 0 in rows not counted. fp64, rounded once.
//   grid ceil(rows / 128); block 128.
//
// No dynamic shared memory.
#include "device.cuh"

extern "C" __global__ void __launch_bounds__(128) preference_sums(const int32* targets, const int32* sequences, const float* statistics,
    double* pairs, int32 rows, int64 stride)
{
    const int32 lane = threadIdx.x % 32;
    const int32 first = blockIdx.x * 128 + threadIdx.x - lane;
    for (int32 begin = first; begin < first + 32 && begin < rows; begin++)
    {
        const int32 document = sequences[begin];
        if (begin > 0 && sequences[begin - 1] == document)
        {
            continue;
        }

        double sum = 0;
        bool some = false;
        for (int32 row = begin + lane; row < rows && sequences[row] == document; row += 32)
        {
            if (targets[row] >= 0)
            {
                some = true;
                sum += (double)statistics[row + 2 * stride] - statistics[row] - log((double)statistics[row + stride]);
            }
        }

        sum = warp_sum(sum);
        if (warp_sum(some ? 1.0f : 0.0f) > 0 && lane == 0)
        {
            pairs[8 + 3 * (int64)document + 2] += sum;
        }
    }
}
EXPORT_KERNEL(preference_sums)

DEVICE double compared(const double* document) { return document[0] * document[2] + document[1]; }

DEVICE double sigmoid_of(double x) { return 1 / (1 + exp(-x)); }

DEVICE double slope_of(const double* pairs, double z)
{
    const double beta = pairs[1];
    if (pairs[0] == 1)
    {
        return 2 * (z - 1 / (2 * beta));
    }

    if (pairs[0] == 2)
    {
        return beta * z < 1 ? -beta : 0;
    }

    return beta * (pairs[3] * sigmoid_of(beta * z) - pairs[2] * sigmoid_of(-beta * z));
}

extern "C" __global__ void __launch_bounds__(128)
preference_weights(const int32* targets, const int32* sequences, const double* pairs, float* weights, int32 rows)
{
    const int32 row = blockIdx.x * 128 + threadIdx.x;
    if (row >= rows)
    {
        return;
    }

    if (targets[row] < 0)
    {
        weights[row] = 0;
        return;
    }

    const bool preferred = sequences[row] % 2 == 0;
    const double* mine = pairs + 8 + 3 * (int64)sequences[row];
    const double* other = preferred ? mine + 3 : mine - 3;
    const double z = preferred ? compared(mine) - compared(other) : compared(other) - compared(mine);
    const double slope = slope_of(pairs, z) * mine[0];
    weights[row] = (float)(preferred ? pairs[4] - slope : slope);
}
EXPORT_KERNEL(preference_weights)
