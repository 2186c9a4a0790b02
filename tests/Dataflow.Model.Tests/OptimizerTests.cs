namespace Dataflow.Model.Tests;

public sealed class OptimizerTests
{
    [Theory]
    [InlineData("fp32", 16)]
    [InlineData("bf16", 8)]
    [InlineData("bf16-sr", 10)]
    [InlineData("bf16-master", 18)]
    public void AdamW_has_two_moments_of_each_parameter_and_a_master_weight_where_the_recipe_says_so(
        string dtype,
        long bytes
    )
    {
        var recipe = Recipe.All.Single(r => r.Name == dtype);
        Assert.Equal(bytes, Optimizer.AdamW.BytesPerParameter(recipe));
        string[] master = recipe.Master is null ? [] : ["master_weights"];
        Assert.Equal(
            ["first_moments", "second_moments", .. master],
            Optimizer.AdamW.State(recipe).Select(p => p.Name)
        );
    }

    [Fact]
    public void Parts_of_the_state_lie_one_behind_the_other_and_are_all_of_it()
    {
        foreach (
            var (optimizer, recipe) in Optimizer.All.SelectMany(o => Recipe.All.Select(r => (o, r)))
        )
        {
            long end = 0;
            foreach (var part in optimizer.State(recipe))
            {
                Assert.Equal(end, part.Offset);
                end += part.Type.Size();
            }

            Assert.Equal(optimizer.StateBytes(recipe), end);
            Assert.Equal(recipe.Master is not null, optimizer.State(recipe)[^1].IsMaster);
        }
    }

    [Fact]
    public void Optimizers_have_names_and_defaults_of_their_own()
    {
        foreach (var optimizer in Optimizer.All)
        {
            Assert.Same(optimizer, Optimizer.Named(optimizer.Name));
            Assert.InRange(optimizer.Moments.Length, 1, Optimizer.MostMoments);
            Assert.Equal(optimizer.Moments.Length, optimizer.Moments.Distinct().Count());
            foreach (var number in Hyperparameter.All.Except(optimizer.Hyperparameters))
            {
                Assert.Equal(0, optimizer.Defaults[number]);
            }

            foreach (var number in optimizer.Hyperparameters)
            {
                Assert.InRange(optimizer.Defaults[number], number.Least, number.Below);
                Assert.Equal(0.5f, optimizer.Defaults.With(number, 0.5f)[number]);
            }
        }

        Assert.Null(Optimizer.Named("adagrad"));
    }
}
