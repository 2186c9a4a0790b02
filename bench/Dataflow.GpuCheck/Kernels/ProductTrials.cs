using Dataflow.Cuda;
using Dataflow.Cuda.Kernels;
using Dataflow.Model;
using Dataflow.Runtime;

namespace Dataflow.GpuCheck;

/// <summary>The matrix products of a layer and of the head, as training asks for them.</summary>
internal static class ProductTrials
{
    private const int Candidates = 16;
    private const int Finalists = 3;
    private const double Glance = 0.02;

    /// <summary>
    /// All, by name: what is multiplied, and whether it is the forward (y = x W'), the input's gradient (dx = dy W) or the weight's (dW +=
    /// dy' x).
    /// </summary>
    public static IEnumerable<(string Name, Func<Workbench, ProductTrial> Make)> All(ModelConfig model)
    {
        int qkv = model.QueryDim + (2 * model.KvDim);
        (string Name, int Out, int In, bool Adds)[] weights =
        [
            ("qkv", qkv, model.ModelDim, false),
            ("attention out", model.ModelDim, model.QueryDim, true),
            ("gate up", 2 * model.FfnDim, model.ModelDim, false),
            ("down", model.ModelDim, model.FfnDim, true),
        ];
        foreach (var (name, columns, inner, adds) in weights)
        {
            yield return ($"{name} forward", b => new ProductTrial(
                b,
                $"{name} forward",
                (b.Tokens, columns, inner),
                Transpose.No,
                Transpose.Yes,
                b.Type,
                adds
            ));
            yield return ($"{name} input gradient", b => new ProductTrial(
                b,
                $"{name} input gradient",
                (b.Tokens, inner, columns),
                Transpose.No,
                Transpose.No,
                b.Type,
                false
            ));
            yield return ($"{name} weight gradient", b => new ProductTrial(
                b,
                $"{name} weight gradient",
                (columns, inner, b.Tokens),
                Transpose.Yes,
                Transpose.No,
                b.Recipe.Gradients,
                true
            ));
        }

        yield return ("head forward", b => new ProductTrial(
            b,
            "head forward",
            (Math.Min(b.Tokens, 1024), model.VocabSize, model.ModelDim),
            Transpose.No,
            Transpose.Yes,
            DType.Float32,
            false
        ));
    }

    /// <summary>c [m, n] = op(a) op(b), plus c where it adds.</summary>
    internal sealed class ProductTrial
    {
        private readonly Workbench bench;
        private readonly Numbers a;
        private readonly Numbers b;
        private readonly Numbers c;
        private readonly Product product;
        private readonly int inner;

        public ProductTrial(
            Workbench bench, string name, (int M, int N, int K) shape, Transpose ta, Transpose tb, DType result, bool adds)
        {
            var (m, n, k) = shape;
            (this.bench, inner) = (bench, k);
            a = ta == Transpose.No ? bench.Random(m, k) : bench.Random(k, m);
            b = tb == Transpose.No ? bench.Random(k, n) : bench.Random(n, k);
            c = bench.Random(m, n, result, scale: MathF.Sqrt(k));
            product = new Product(a.Tensor, ta, b.Tensor, tb, c.Tensor, adds);
            bench.Prepare(product);
            double flops = 2.0 * m * n * k;
            Trial = new KernelTrial(
                $"gemm {name} {m} x {n} x {k}",
                flops,
                ((double)m * k * bench.Type.Size()) + ((double)n * k * bench.Type.Size()) + ((double)m * n * result.Size()),
                Launch,
                Check
            );
        }

        /// <summary>With the algorithm that training takes.</summary>
        public KernelTrial Trial { get; }

        /// <summary>Seconds of the fastest of cuBLASLt's proposals under the same conditions, each timed.</summary>
        public double Fastest()
        {
            var (pa, pb, pc) = (product.A, product.B, product.C);
            var type = pa.Type == DType.Float32 ? BlasType.Float32 : BlasType.BFloat16;
            var result = pc.Type == DType.Float32 ? BlasType.Float32 : BlasType.BFloat16;
            MatrixOperation Of(Transpose t) => t == Transpose.Yes ? MatrixOperation.Transpose : MatrixOperation.None;

            // Row-major operands are column-major ones of the transposed product: they change places.
            using var problem = new MatmulProblem(
                MatmulDescription.Create(ComputeType.Float32, Of(product.TransposeB), Of(product.TransposeA)),
                MatrixLayout.Create(type, pb.Columns, pb.Rows, pb.Columns), MatrixLayout.Create(type, pa.Columns, pa.Rows, pa.Columns),
                MatrixLayout.Create(result, pc.Columns, pc.Rows, pc.Columns), MatrixLayout.Create(result, pc.Columns, pc.Rows, pc.Columns));
            using var preference = MatmulPreference.Create(Gemm.Workspace);
            var operands = new MatmulOperands
            {
                Alpha = 1,
                A = new DevicePointer(pb.Address),
                B = new DevicePointer(pa.Address),
                Beta = product.Adds ? 1 : 0,
                C = new DevicePointer(pc.Address),
                D = new DevicePointer(pc.Address),
            };
            void Multiply(MatmulCandidate candidate) =>
                bench.Blas.Multiply(bench.Stream, problem, candidate.Algorithm, operands, bench.GemmWorkspace, Gemm.Workspace);

            // A short look at all of them, a longer one at the best.
            return bench.Blas.Propose(problem, preference, Candidates)
                .OrderBy(c => bench.Seconds(() => Multiply(c), Glance)).Take(Finalists).Min(c => bench.Seconds(() => Multiply(c)));
        }

        private void Launch() =>
            bench.Kernels.Gemm.Run(
                bench.Stream,
                new()
                {
                    A = product.A,
                    TransposeA = product.TransposeA,
                    B = product.B,
                    TransposeB = product.TransposeB,
                    C = product.C,
                    Addend = product.Adds ? product.C : null,
                    Bias = null,
                    Scale = 1,
                }
            );

        private void Check(Comparison compare)
        {
            int[] rows = RowTrials.Samples(product.C.Rows), columns = RowTrials.Samples(product.C.Columns);
            double A(int row, int k) => product.TransposeA == Transpose.No ? a[row, k] : a[k, row];
            double B(int k, int column) => product.TransposeB == Transpose.No ? b[k, column] : b[column, k];
            var places = rows.SelectMany(r => columns.Select(n => (Row: r, Column: n))).ToArray();
            compare.Add(
                "c",
                [.. places.Select(p => (double)bench.Read(c.Tensor, ((long)p.Row * product.C.Columns) + p.Column, 1)[0])],
                [
                    .. places.Select(p =>
                        (product.Adds ? c[p.Row, p.Column] : 0) + Enumerable.Range(0, inner).Sum(k => A(p.Row, k) * B(k, p.Column))
                    ),
                ],
                Comparison.BoundOf(c.Tensor.Type)
            );
        }
    }
}
