namespace Dataflow.Model.Tests;

public sealed class StateLayoutTests
{
    private static readonly ModelConfig Model = ModelConfigReader.Parse(Repository.Read("models", "micro.json"), "micro");

    [Fact]
    public void State_that_is_updated_element_by_element_is_one_run_whose_parts_lie_one_after_the_other()
    {
        foreach (var (optimizer, recipe) in Optimizer.All.Where(o => o.IsElementwise).SelectMany(o => Recipe.All.Select(r => (o, r))))
        {
            var parameters = ParameterLayout.Block(Model, Model.KindOf(new Layer(0)));
            var state = new StateLayout(parameters, optimizer, recipe);
            var slice = Assert.Single(state.Slices(0, parameters.ElementCount));
            Assert.Equal((0, parameters.ElementCount), (slice.First, slice.Count));
            double offset = 0;
            for (int i = 0; i < slice.Run.Update.Parts.Length; i++)
            {
                Assert.Equal(offset, slice.OffsetOf(i).Value);
                offset += parameters.ElementCount * slice.Run.Update.Parts[i].Type.Size();
            }

            Assert.Equal(parameters.ElementCount * optimizer.StateBytes(recipe), state.Size(0, parameters.ElementCount).Value);
        }
    }

    [Theory]
    [InlineData(128)]
    [InlineData(1 << 10)]
    [InlineData(3 << 12)]
    [InlineData(1 << 30)]
    public void Pieces_are_all_elements_and_part_nothing_that_an_update_must_have_at_once(long pieceElements)
    {
        foreach (var optimizer in Optimizer.All)
        {
            var parameters = ParameterLayout.Block(Model, Model.KindOf(new Layer(0)));
            var state = new StateLayout(parameters, optimizer, Recipe.Bf16Master);
            var counts = state.Cut(pieceElements);
            Assert.Equal(parameters.ElementCount, counts.Sum());
            long first = 0;
            foreach (long count in counts)
            {
                Assert.True(state.MayCut(first + count));
                Assert.True(state.Size(first, count).Value > 0);
                first += count;
                Assert.True(!optimizer.IsElementwise || count <= Math.Max(pieceElements, 128));
            }
        }
    }
}
