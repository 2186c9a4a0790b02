// cuBLASLt's products against float64.
#include <cmath>

#include "cublaslt_types.h"
#include "driver_api.h"
#include "run_kernel.h"
#include "test.h"

using namespace emulation;

extern "C"
{
    BlasStatus cublasLtCreate(void**);
    BlasStatus cublasLtDestroy(void*);
    BlasStatus cublasLtMatmulDescCreate(MatmulDescription**, int, int);
    BlasStatus cublasLtMatmulDescSetAttribute(MatmulDescription*, int, const void*, size_t);
    BlasStatus cublasLtMatmulDescDestroy(MatmulDescription*);
    BlasStatus cublasLtMatrixLayoutCreate(MatrixLayout**, int, uint64_t, uint64_t, int64_t);
    BlasStatus cublasLtMatrixLayoutDestroy(MatrixLayout*);
    BlasStatus cublasLtMatmulPreferenceCreate(MatmulPreference**);
    BlasStatus cublasLtMatmulPreferenceSetAttribute(MatmulPreference*, int, const void*, size_t);
    BlasStatus cublasLtMatmulPreferenceDestroy(MatmulPreference*);
    BlasStatus cublasLtMatmulAlgoGetHeuristic(void*, MatmulDescription*, MatrixLayout*, MatrixLayout*, MatrixLayout*, MatrixLayout*,
        MatmulPreference*, int, HeuristicResult*, int*);
    BlasStatus cublasLtMatmul(void*, MatmulDescription*, const float*, const void*, MatrixLayout*, const void*, MatrixLayout*, const float*,
        const void*, MatrixLayout*, void*, MatrixLayout*, const MatmulAlgorithm*, void*, size_t, void*);
}

namespace
{

uint16_t to_bf16(float value)
{
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float number_at(const std::vector<unsigned char>& bytes, int type, size_t at)
{
    if (type == TypeFloat32)
    {
        float value;
        std::memcpy(&value, &bytes[4 * at], 4);
        return value;
    }

    uint16_t half;
    std::memcpy(&half, &bytes[2 * at], 2);
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

size_t size_of(int type) { return type == TypeFloat32 ? 4 : 2; }

// Column-major, between -1 and 1; what lies between columns is NaN and must not matter.
std::vector<unsigned char> random_matrix(int type, int64_t rows, int64_t columns, int64_t leading, uint64_t seed)
{
    std::vector<unsigned char> bytes(static_cast<size_t>(leading * columns) * size_of(type), 0xff);
    for (int64_t column = 0; column < columns; column++)
    {
        for (int64_t row = 0; row < rows; row++)
        {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            const float value = static_cast<float>(static_cast<int64_t>(seed) >> 32) * 0x1p-31f;
            const size_t at = static_cast<size_t>(column * leading + row);
            const uint16_t half = to_bf16(value);
            std::memcpy(&bytes[at * size_of(type)], type == TypeFloat32 ? static_cast<const void*>(&value) : &half, size_of(type));
        }
    }

    return bytes;
}

struct Case
{
    int64_t m, n, k;
    int in, out;
    int transpose_a, transpose_b;
    float alpha, beta;
    int64_t gap = 0; // between columns
    bool bias = false;
};

struct Handle
{
    Handle() { use_device(); check(cublasLtCreate(&handle) == 0, "cublasLtCreate"); }
    ~Handle() { cublasLtDestroy(handle); }
    void* handle = nullptr;
};

struct Problem
{
    explicit Problem(const Case& c)
    {
        cublasLtMatmulDescCreate(&description, Compute32, TypeFloat32);
        cublasLtMatmulDescSetAttribute(description, MatmulDescription::TransposeA, &c.transpose_a, 4);
        cublasLtMatmulDescSetAttribute(description, MatmulDescription::TransposeB, &c.transpose_b, 4);
        const int epilogue = c.bias ? EpilogueBias : EpilogueNone;
        cublasLtMatmulDescSetAttribute(description, MatmulDescription::Epilogue, &epilogue, 4);
        const int64_t a_rows = c.transpose_a ? c.k : c.m, b_rows = c.transpose_b ? c.n : c.k;
        cublasLtMatrixLayoutCreate(&a, c.in, a_rows, c.transpose_a ? c.m : c.k, a_rows + c.gap);
        cublasLtMatrixLayoutCreate(&b, c.in, b_rows, c.transpose_b ? c.k : c.n, b_rows + c.gap);
        cublasLtMatrixLayoutCreate(&d, c.out, c.m, c.n, c.m + c.gap);
        cublasLtMatmulPreferenceCreate(&preference);
        const uint64_t most = 64 << 20;
        cublasLtMatmulPreferenceSetAttribute(preference, MatmulPreference::MaxWorkspaceBytes, &most, 8);
    }

    ~Problem()
    {
        cublasLtMatmulDescDestroy(description);
        cublasLtMatrixLayoutDestroy(a);
        cublasLtMatrixLayoutDestroy(b);
        cublasLtMatrixLayoutDestroy(d);
        cublasLtMatmulPreferenceDestroy(preference);
    }

    MatmulDescription* description;
    MatrixLayout *a, *b, *d;
    MatmulPreference* preference;
};

std::vector<unsigned char> product(const Case& c, int algorithm, bool check_result)
{
    Handle blas;
    Problem problem(c);
    HeuristicResult results[8];
    int found = 0;
    check(cublasLtMatmulAlgoGetHeuristic(
              blas.handle, problem.description, problem.a, problem.b, problem.d, problem.d, problem.preference, 8, results, &found) == 0 &&
              found == 3,
        "three algorithms");
    const int64_t a_rows = c.transpose_a ? c.k : c.m, a_columns = c.transpose_a ? c.m : c.k, b_rows = c.transpose_b ? c.n : c.k,
                  b_columns = c.transpose_b ? c.k : c.n;
    const auto a = random_matrix(c.in, a_rows, a_columns, a_rows + c.gap, 1), b = random_matrix(c.in, b_rows, b_columns, b_rows + c.gap, 2);
    const auto old = random_matrix(c.out, c.m, c.n, c.m + c.gap, 3);
    Array<unsigned char> device_a(a), device_b(b), device_d(old), workspace(results[algorithm].workspace_bytes + 16);
    const auto bias = random_matrix(c.out, c.m, 1, c.m, 4);
    Array<unsigned char> device_bias(bias);
    const void* bias_address = device_bias.device();
    cublasLtMatmulDescSetAttribute(problem.description, MatmulDescription::BiasPointer, &bias_address, 8);
    const BlasStatus status = cublasLtMatmul(blas.handle, problem.description, &c.alpha, device_a.device(), problem.a, device_b.device(),
        problem.b, &c.beta, device_d.device(), problem.d, device_d.device(), problem.d, &results[algorithm].algorithm, workspace.device(),
        results[algorithm].workspace_bytes, nullptr);
    check(status == 0, "cublasLtMatmul returns " + std::to_string(status));
    const auto result = device_d.host();
    for (int64_t i = 0; check_result && i < c.m; i++)
    {
        for (int64_t j = 0; j < c.n; j++)
        {
            double sum = 0;
            for (int64_t k = 0; k < c.k; k++)
            {
                const float x =
                    number_at(a, c.in, static_cast<size_t>(c.transpose_a ? i * (a_rows + c.gap) + k : k * (a_rows + c.gap) + i));
                const float y =
                    number_at(b, c.in, static_cast<size_t>(c.transpose_b ? k * (b_rows + c.gap) + j : j * (b_rows + c.gap) + k));
                sum += static_cast<double>(x) * y;
            }

            const size_t at = static_cast<size_t>(j * (c.m + c.gap) + i);
            const double expected = c.alpha * sum + c.beta * number_at(old, c.out, at) +
                                    (c.bias ? number_at(bias, c.out, static_cast<size_t>(i)) : 0);
            const double got = number_at(result, c.out, at);
            // Products are below 1: 2^-24 a rounding, at most 32 + k / 32 of them one upon the other; then one to the type.
            const double allowed = 0x1p-24 * (34 + c.k / 32.0) * std::sqrt(static_cast<double>(c.k)) +
                                   std::fabs(expected) * (c.out == TypeFloat32 ? 0x1p-23 : 0x1p-8);
            check(std::fabs(got - expected) <= allowed,
                std::to_string(i) + "," + std::to_string(j) + " is " + std::to_string(got) + " instead of " + std::to_string(expected));
        }
    }

    return result;
}

} // namespace

TEST(Products_are_right_for_all_types_transposes_and_edges)
{
    for (int types = 0; types < 3; types++)
    {
        const int in = types == 0 ? TypeFloat32 : TypeBFloat16, out = types == 2 ? TypeBFloat16 : TypeFloat32;
        for (int transposes = 0; transposes < 4; transposes++)
        {
            product({37, 53, 71, in, out, transposes & 1, transposes >> 1, 1.0f, 0.0f}, 0, true);
            product({64, 16, 128, in, out, transposes & 1, transposes >> 1, 0.5f, 1.0f, 8}, transposes % 3, true);
            product({1, 3, 200, in, out, transposes & 1, transposes >> 1, -1.0f, 0.25f}, 2, true);
            product({37, 18, 71, in, out, transposes & 1, transposes >> 1, 1.0f, 0.0f, 3, true}, transposes % 3, true);
            product({40, 5, 64, in, out, transposes & 1, transposes >> 1, 1.0f, 1.0f, 0, true}, 0, true);
        }
    }
}

TEST(Algorithms_differ_in_their_bits_and_each_repeats_its_own)
{
    const Case c{48, 48, 512, TypeFloat32, TypeFloat32, 0, 0, 1.0f, 0.0f};
    const auto first = product(c, 0, true), second = product(c, 1, true), third = product(c, 2, true);
    check(first == product(c, 0, false) && second == product(c, 1, false) && third == product(c, 2, false), "the same bits again");
    check(first != second && second != third && first != third, "other bits");
}

TEST(Products_are_checked_like_kernels)
{
    const Case c{64, 64, 64, TypeFloat32, TypeFloat32, 0, 0, 1.0f, 0.0f};
    Handle blas;
    Problem problem(c);
    Array<float> a(std::vector<float>(64 * 64)), d(64 * 64), short_b(std::vector<float>(64 * 64 - 4));
    TestStream first, second;
    auto multiply = [&](const float* x, const float* y, float* to, void* stream)
    {
        check(cublasLtMatmul(blas.handle, problem.description, &c.alpha, x, problem.a, y, problem.b, &c.beta, to, problem.d, to, problem.d,
                  nullptr, nullptr, 0, stream) == 0,
            "cublasLtMatmul");
    };
    auto finish = [] { check_status(cuCtxSynchronize(), "cuCtxSynchronize"); };
    multiply(a.device(), short_b.device(), d.device(), first);
    check_fails(finish, {"matrix product 64 x 64 x 64", "outside"});
    multiply(a.device(), d.device(), a.device(), first);
    check_fails(finish, {"which nothing has written"});
    multiply(a.device(), a.device(), d.device(), first);
    multiply(a.device(), a.device(), d.device(), second);
    check_fails(finish, {"matrix product", "nothing orders the two"});
    multiply(a.device(), a.device(), d.device(), first);
    finish();
}
