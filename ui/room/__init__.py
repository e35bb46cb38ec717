"""What people in the room reach with a link: rating, without a Streamlit session and without anything else."""
